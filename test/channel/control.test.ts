import { stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { askVault, controlSocketOf, listenForControl } from '../../src/channel/control.ts'
import type { ControlHandler } from '../../src/channel/control.ts'
import type { ControlRequest } from '../../src/channel/control-messages.ts'
import { RoadveilError } from '../../src/errors.ts'
import { keptLog } from '../support/kept-log.ts'
import { shortFolder } from '../support/short-folder.ts'

const evidenceId = '3f2504e0-4f89-41d3-9a0c-0305e82c3301'

/** Sends raw text to the control socket and returns what it answers. */
async function say(runtimeDirectory: string, line: string): Promise<unknown> {
  const socket = connect(controlSocketOf(runtimeDirectory))
  socket.on('error', () => undefined)
  socket.write(line)
  return JSON.parse(await text(socket)) as unknown
}

await t.test('a verb reaches vault and its answer comes back', async (t) => {
  const runtimeDirectory = join(await shortFolder(t), 'run')
  const asked: ControlRequest[] = []
  const handler: ControlHandler = async (request) => {
    asked.push(request)
    return request.verb === 'evidence-list' ? { evidence: [] } : { evidenceId }
  }
  await using control = await listenForControl({ runtimeDirectory, handler, logger: keptLog() })
  t.ok(control)
  const hold = { verb: 'evidence-hold', evidenceId, reason: 'court order', by: 'ada' } as const
  t.same(await askVault(runtimeDirectory, { verb: 'evidence-list' }), { evidence: [] })
  t.same(await askVault(runtimeDirectory, hold), { evidenceId })
  t.same(asked, [{ verb: 'evidence-list' }, hold])
  t.equal((await stat(controlSocketOf(runtimeDirectory))).mode & 0o777, 0o600)
})

await t.test('without a vault the caller is told so, with the exit code for it', async (t) => {
  const runtimeDirectory = await shortFolder(t)
  await t.rejects(askVault(runtimeDirectory, { verb: 'status' }), {
    code: 'ERR_VAULT_UNREACHABLE',
    exitCode: 4,
  })
})

await t.test('a failure in vault comes back with its code, an unknown one without its text', async (t) => {
  const runtimeDirectory = await shortFolder(t)
  let failure: Error = new RoadveilError('ERR_CHANNEL_BUSY', 'one line')
  const handler: ControlHandler = async () => {
    throw failure
  }
  await using control = await listenForControl({ runtimeDirectory, handler, logger: keptLog() })
  t.ok(control)
  await t.rejects(askVault(runtimeDirectory, { verb: 'status' }), {
    code: 'ERR_CHANNEL_BUSY',
    message: 'one line',
  })
  failure = new TypeError('secret')
  const answer = JSON.stringify(await say(runtimeDirectory, '{"verb":"status"}\n'))
  t.match(answer, 'ERR_INTERNAL')
  t.notMatch(answer, 'secret')
})

await t.test('an answer of another form is not taken for one', async (t) => {
  const runtimeDirectory = await shortFolder(t)
  const handler: ControlHandler = async () => ({ evidenceId })
  await using control = await listenForControl({ runtimeDirectory, handler, logger: keptLog() })
  t.ok(control)
  await t.rejects(askVault(runtimeDirectory, { verb: 'status' }), { code: 'ERR_CONTROL_REQUEST' })
})

await t.test('requests that are wrong are refused with a code and vault goes on', async (t) => {
  const runtimeDirectory = await shortFolder(t)
  const handler: ControlHandler = async () => ({ evidence: [] })
  await using control = await listenForControl({ runtimeDirectory, handler, logger: keptLog() })
  t.ok(control)
  const wrong = [
    'status\n',
    '{"verb":"open"}\n',
    '{"verb":"status","more":1}\n',
    '{"verb":"evidence-hold"}\n',
    `{"verb":"evidence-hold","evidenceId":"${evidenceId}","reason":"  ","by":"ada"}\n`,
    `{"verb":"evidence-release","evidenceId":"1; DROP TABLE","reason":"x","by":"ada"}\n`,
    `"${'x'.repeat(70_000)}"\n`,
    'x'.repeat(70_000),
  ]
  for (const line of wrong) {
    t.match(await say(runtimeDirectory, line), { ok: false, code: 'ERR_CONTROL_REQUEST' })
  }
  t.same(await askVault(runtimeDirectory, { verb: 'evidence-list' }), { evidence: [] })
})
