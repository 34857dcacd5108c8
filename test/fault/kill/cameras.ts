import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sceneCamera } from '../../../scripts/demo/trial.ts'
import { MAIN } from '../../cli/roadveil.ts'
import { boxSettings, brokerlessTrial } from '../../support/box.ts'
import { SCENE_FILE } from '../../support/scene.ts'
import { isRunning, processTree } from '../../support/traces.ts'
import { until } from '../../support/until.ts'
import type { Rounds } from '../suite.ts'
import { startVictim } from './process.ts'

const NAMES = { site: 'main-street', device: 'box-1' }

/** Kills the real vision with its cameras open: no ffmpeg may go on without it. */
export async function cameraKills({ folder, dice, tally }: Rounds): Promise<() => Promise<void>> {
  const trial = await brokerlessTrial(join(folder, 'cameras'), NAMES)
  const cameras = ['cam-1', 'cam-2'].map((id) => sceneCamera(id, { url: `file:${SCENE_FILE}` }))
  writeFileSync(trial.box.config, JSON.stringify(boxSettings(trial, NAMES, cameras)))
  return async () => {
    const vision = startVictim([MAIN, 'vision', '--config', trial.box.config], {
      cache: join(folder, 'compiled'),
      env: { CI: undefined },
    })
    const programs = () => processTree(vision.pid).filter(({ line }) => line.startsWith('ffmpeg '))
    await until('a camera is open', () => programs().length > 0)
    await sleep(dice.between(0, 400))
    const open = programs()
    await vision.kill()
    tally.injected()
    const began = performance.now()
    const isOver = (): boolean => !open.some(isRunning)
    await until('its cameras are closed', isOver, { withinMs: 5_000 }).catch(() =>
      tally.harm('broken', `${open.filter(isRunning).length} of ${open.length} ffmpeg go on without vision`),
    )
    tally.recovered(performance.now() - began)
  }
}
