import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort } from '../../scripts/demo/free-port.ts'

/** A TPM 2.0 in software, and systemd's program that binds credentials to it. */
export interface TestTpm extends AsyncDisposable {
  /** Encrypts a file to this chip, as config/keys.md says. */
  encrypt(name: string, from: string, to: string): Promise<void>
  /** What systemd does at the start of a unit with LoadCredentialEncrypted=. Throws on another chip. */
  decrypt(name: string, from: string, to: string): Promise<void>
}

const run = promisify(execFile)
const LIBRARIES = ['libtss2-tcti-swtpm.so.0', 'libtss2-esys.so.0', 'libtss2-rc.so.0', 'libtss2-mu.so.0']

/** Why this machine cannot bind credentials to a TPM in software; undefined where it can. */
export async function tpmIsLacking(): Promise<string | undefined> {
  const missing = [...(await absent('/usr/bin', ['swtpm', 'systemd-creds'])), ...(await absentLibraries())]
  return missing.length === 0
    ? undefined
    : `${missing.join(', ')} not installed; scripts/setup.sh --tests does it`
}

/** A new chip, with seeds of its own. */
export async function startTpm(): Promise<TestTpm> {
  const folder = await mkdtemp(join(tmpdir(), 'rv-tpm-'))
  const port = await freePort()
  const at = (each: number): string => `type=tcp,port=${each},bindaddr=127.0.0.1`
  // The library looks for the control channel at the next port.
  const options = ['--server', at(port), '--ctrl', at(port + 1), '--flags', 'not-need-init,startup-clear']
  const chip: ChildProcess = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', 'swtpm', 'socket', '--tpm2', '--tpmstate', `dir=${folder}`, ...options],
    { stdio: 'ignore' },
  )
  const device = `--tpm2-device=swtpm:host=127.0.0.1,port=${port}`
  const creds = async (...args: readonly string[]): Promise<void> => {
    await run('systemd-creds', args, { timeout: 20_000 })
  }
  // It answers one client at a time and has no way to say that it is there.
  await sleep(300)
  return {
    encrypt: (name, from, to) => creds('encrypt', '--with-key=tpm2', device, `--name=${name}`, from, to),
    decrypt: (name, from, to) => creds('decrypt', device, `--name=${name}`, from, to),
    async [Symbol.asyncDispose]() {
      if (chip.exitCode === null && chip.signalCode === null) {
        const gone = once(chip, 'exit')
        chip.kill('SIGKILL')
        await gone
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function absent(folder: string, names: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    names.map((name) =>
      access(join(folder, name)).then(
        () => true,
        () => false,
      ),
    ),
  )
  return names.filter((_, index) => !found[index])
}

async function absentLibraries(): Promise<string[]> {
  const { stdout } = await run('/sbin/ldconfig', ['-p']).catch(() => ({ stdout: '' }))
  return LIBRARIES.filter((name) => !stdout.includes(name))
}
