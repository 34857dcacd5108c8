import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'mqtt'
import { createAuthority } from '../../src/trial/pki.ts'
import type { Trial } from '../../src/trial/trial.ts'
import { tellHandled } from './handled.ts'

const NAME = 'watcher'

/**
 * Lets one more client read everything at a trial's broker, which is not started yet. It has a name and an authority of its own: a
 * broker ends the connection of who comes under another's name.
 *
 * @returns starts to tell of every message as it arrives, also over restarts of the broker
 */
export async function admitWatcher({
  brokerUrl,
  topicPrefix,
  broker,
}: Trial): Promise<() => AsyncDisposable> {
  const authority = await createAuthority(new Date())
  const { certificate, key } = await authority.client(NAME)
  const ca = readFileSync(broker.ca, 'utf8')
  const both = `${broker.ca}.watched`
  writeFileSync(both, `${ca.trimEnd()}\n${authority.certificate}`)
  const config = readFileSync(broker.config, 'utf8')
  writeFileSync(broker.config, config.replace(/^cafile .*$/m, `cafile ${both}`))
  appendFileSync(broker.acl, `\nuser ${NAME}\ntopic read ${topicPrefix}/#\n`)

  return () => {
    const client = connect(brokerUrl, {
      ...{ protocolVersion: 5, clientId: NAME, reconnectPeriod: 100, clean: true },
      ...{ ca, cert: certificate, key },
    })
    client.on('connect', () => client.subscribe(`${topicPrefix}/#`, { qos: 0 }))
    // A broker that is killed is what the suites are about.
    client.on('error', () => undefined)
    client.on('message', (topic, payload) => {
      for (const text of [topic, payload])
        tellHandled({ kind: 'text', where: 'what went over the broker', text })
    })
    return {
      async [Symbol.asyncDispose]() {
        await client.endAsync(true)
      },
    }
  }
}
