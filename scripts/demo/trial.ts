import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseDocument } from 'yaml'
import type { DemoCamera } from './camera.ts'
import { freePort } from './free-port.ts'

const project = fileURLToPath(new URL('../..', import.meta.url))

/** The built CLI, as an installer would call it. */
export const ROADVEIL = [process.execPath, `${project}dist/cli/main.js`]

/** What `roadveil init --trial` made. */
export interface Trial {
  readonly config: string
  readonly receiverConfig: string
  readonly brokerConfig: string
  /** Folder in which opened evidence appears. */
  readonly evidence: string
}

function roadveil(...args: readonly string[]): string {
  const [node = '', ...program] = ROADVEIL
  const { status, stdout } = spawnSync(node, [...program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  if (status === 0) return stdout.toString()
  // What it answered says more than that it failed: `check` lists the faults there.
  throw new Error(`roadveil ${args[0] ?? ''} failed\n${stdout.toString()}`.trim())
}

/** Keys, certificates and configs of box, broker and city, for one camera. */
export async function makeTrial(
  directory: string,
  runtimeDirectory: string,
  camera: DemoCamera,
  isBuiltIn: boolean,
): Promise<Trial> {
  const port = await freePort()
  const names = ['--site', 'demo-street', '--device', 'box-1', '--time-zone', 'Europe/London']
  const trial = JSON.parse(
    roadveil('init', `${directory}/trial`, '--trial', ...names, '--broker-port', String(port), '--json'),
  ) as Trial

  const config = parseDocument(readFileSync(trial.config, 'utf8'))
  config.set('runtimeDirectory', runtimeDirectory)
  config.setIn(['site', 'name'], isBuiltIn ? 'The built-in street scene' : 'Demo')
  const { url, credentialsFile } = camera
  const source = credentialsFile === undefined ? { url } : { url, credentialsFile }
  config.set('cameras', [sceneCamera('cam-1', source, isBuiltIn ? BUS_STOP : WHOLE_PICTURE)])
  writeFileSync(trial.config, config.toString())
  roadveil('check', '--config', trial.config)
  return trial
}

/** The bus stop's no-stopping zone of the built-in scene, as its ground truth has it. */
const BUS_STOP = [
  [0.0968, 1],
  [0.3795, 1],
  [0.4327, 0.4588],
  [0.2965, 0.4595],
]

const WHOLE_PICTURE = [
  [0, 0],
  [1, 0],
  [1, 1],
  [0, 1],
]

/** The settings of a camera that lets nobody stop: in the bus stop of the built-in scene, or elsewhere. */
export function sceneCamera(
  id: string,
  source: { readonly url: string } & Readonly<Record<string, string>>,
  polygon: readonly (readonly number[])[] = BUS_STOP,
) {
  return {
    id,
    ...source,
    zones: [{ id: 'bus-stop', polygon }],
    rules: [
      {
        id: 'bus-stop-clear',
        kind: 'no-stopping',
        zone: 'bus-stop',
        limitSeconds: 5,
        mode: 'live',
        effectiveFrom: '2026-01-01T00:00:00Z',
      },
    ],
  }
}
