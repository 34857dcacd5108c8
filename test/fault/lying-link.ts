import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { generate, type IPublishPacket, type Packet, parser } from 'mqtt-packet'
import type { Trial } from '../../src/trial/trial.ts'
import { tellHandled } from '../support/handled.ts'

/**
 * What happens to a message of the box: it passes; it is acknowledged and dropped; it is refused as beyond the quota; nobody ever
 * says anything about it; it arrives twice; or it is the last that comes through.
 */
export type Fate = 'pass' | 'drop' | 'refuse' | 'swallow' | 'double' | 'cut'

/** A wire between box and broker that ends both sides' TLS, with their own keys, and lies about messages. */
export interface LyingLink extends AsyncDisposable {
  /** Where the box reaches the broker through it. */
  readonly port: number
}

type MqttFiles = Pick<Trial['box'], 'ca' | 'certificate' | 'key'>

/** MQTT 5, 2.4. */
const QUOTA_EXCEEDED = 0x97
/** As long as a secret may be that comes in two pieces. */
const OVERLAP = 200
const MQTT_5 = { protocolVersion: 5 } as const

/** Lays a wire from a box, or whoever stands in its place, to the real broker of a trial. */
export async function layLyingLink(
  { box, broker }: { readonly box: MqttFiles; readonly broker: Trial['broker'] },
  brokerPort: number,
  fateOf: (message: IPublishPacket) => Fate,
  /** Sees every byte, decrypted, in both directions. */
  see: (bytes: Buffer) => void = () => undefined,
): Promise<LyingLink> {
  const read = ({ ca, certificate, key }: MqttFiles) => ({
    ca: readFileSync(ca),
    cert: readFileSync(certificate),
    key: readFileSync(key),
    minVersion: 'TLSv1.3' as const,
  })
  const sockets = new Set<TLSSocket>()
  const server = createServer({ ...read(broker), requestCert: true, rejectUnauthorized: true }, (near) => {
    const far = connect({ ...read(box), host: '127.0.0.1', port: brokerPort })
    const end = (): void => {
      near.destroy()
      far.destroy()
    }
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', end)
      socket.on('close', () => {
        sockets.delete(socket)
        end()
      })
    }
    far.pipe(near)
    for (const socket of [near, far]) {
      let tail = Buffer.alloc(0)
      socket.on('data', (bytes: Buffer) => {
        see(bytes)
        const text = Buffer.concat([tail, bytes])
        tellHandled({ kind: 'text', where: 'what went over the broker', text })
        tail = text.subarray(-OVERLAP)
      })
    }

    const pass = (packet: Packet): void => void far.write(generate(packet, MQTT_5))
    const answer = (packet: Packet): void => void near.write(generate(packet, MQTT_5))
    const parse = parser(MQTT_5)
    parse.on('packet', (packet) => {
      if (packet.cmd !== 'publish' || packet.messageId === undefined) {
        pass(packet)
        return
      }
      const { messageId } = packet
      switch (fateOf(packet)) {
        case 'pass': {
          pass(packet)
          return
        }
        case 'drop': {
          answer({ cmd: 'puback', messageId, reasonCode: 0 })
          return
        }
        case 'refuse': {
          answer({ cmd: 'puback', messageId, reasonCode: QUOTA_EXCEEDED })
          return
        }
        case 'swallow':
          return
        case 'double':
          pass(packet)
          {
            pass({ ...packet, dup: true })
            return
          }
        case 'cut':
          pass(packet)
          far.end()
          return void near.destroy()
      }
    })
    near.on('data', (bytes: Buffer) => void parse.parse(bytes))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}
