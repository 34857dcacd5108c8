import { readFileSync } from 'node:fs'
import { connect, type MqttClient } from 'mqtt'
import { cityFilters } from '../../src/protocol/topics.ts'
import type { Trial } from '../../src/trial/trial.ts'
import { tellHandled } from './handled.ts'

/** Tells of every message that the city and the box may read at a broker, as it arrives there, over restarts of the broker. */
export function watchTraffic({ brokerUrl, topicPrefix, box, city }: Trial): AsyncDisposable {
  const own = [`${topicPrefix}/v1/+/+/receipt/+`, `${topicPrefix}/v1/+/+/command/+`]
  const clients = [
    watchAs('watch-city', brokerUrl, city, cityFilters(topicPrefix)),
    watchAs('watch-box', brokerUrl, box, own),
  ]
  return {
    async [Symbol.asyncDispose]() {
      for (const client of clients) await client.endAsync(true)
    },
  }
}

function watchAs(
  clientId: string,
  url: string,
  files: { readonly ca: string; readonly certificate: string; readonly key: string },
  filters: readonly string[],
): MqttClient {
  const client = connect(url, {
    ...{ protocolVersion: 5, clientId, reconnectPeriod: 100, clean: true },
    ...{ ca: readFileSync(files.ca), cert: readFileSync(files.certificate), key: readFileSync(files.key) },
  })
  client.on('connect', () => client.subscribe([...filters], { qos: 0 }))
  // A broker that is killed is what the suites are about.
  client.on('error', () => undefined)
  client.on('message', (topic, payload) => {
    for (const text of [topic, payload])
      tellHandled({ kind: 'text', where: 'what went over the broker', text })
  })
  return client
}
