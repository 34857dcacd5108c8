import { join } from 'node:path'
import { RoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { MAX_CERTIFICATE_BYTES } from '../protocol/limits.ts'
import { verifyPurgeCertificate } from '../sealing/purge-certificate.ts'
import type { Box } from './commands.ts'
import type { DeviceKeys } from './devices.ts'
import { readIfThere, replaceFile } from './folder/files.ts'

/** The city's copies of the purge certificates of its boxes. */
export interface CertificateFiles {
  /**
   * Checks a certificate and keeps it; the same again changes nothing.
   *
   * @throws RoadveilError what `verifyPurgeCertificate` and `deviceKeys` throw, ERR_MESSAGE, ERR_CERTIFICATE_INVALID, ERR_OUTPUT_FAILED.
   */
  take(from: Box, payload: Buffer): Promise<void>
}

/** Keeps them as `<state>/certificates/<device>/<month>/<time>.<certificate id>.dsse.json`. */
export function createCertificateFiles(
  stateDirectory: string,
  { deviceKeys, logger }: { readonly deviceKeys: DeviceKeys; readonly logger: Logger },
): CertificateFiles {
  return {
    async take({ site, device }, payload) {
      if (payload.length > MAX_CERTIFICATE_BYTES) {
        throw new RoadveilError('ERR_MESSAGE', `a purge certificate has ${payload.length} bytes`)
      }
      const sender = { deviceId: device, deviceKeys: await deviceKeys(device) }
      const certificate = verifyPurgeCertificate(payload, sender)
      if (certificate.site !== site) {
        throw new RoadveilError(
          'ERR_CERTIFICATE_INVALID',
          'a purge certificate came under a topic that it is not about',
        )
      }
      const { issuedAt, certificateId } = certificate
      const name = `${issuedAt.replaceAll(':', '')}.${certificateId}.dsse.json`
      const file = join(stateDirectory, 'certificates', device, issuedAt.slice(0, 7), name)
      if (await readIfThere(file)) return
      await replaceFile(file, payload)
      logger.info('a purge certificate was kept', { device, site })
    },
  }
}
