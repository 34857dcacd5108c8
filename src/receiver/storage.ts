import type { Manifest } from '../sealing/manifest.ts'
import type { OpenedEvidence } from '../sealing/open.ts'

/** The sealed form, kept beside the opened one: proof of who sent what, and readable by any age program. */
export interface SealedForm {
  readonly manifest: Uint8Array
  readonly ciphertext: Uint8Array
}

/** Where opened evidence is kept: pictures, clip, facts and the sealed form, under SITE/DEVICE/EVIDENCE/. */
export interface Storage {
  /**
   * Whether this very evidence is stored, as a whole.
   *
   * @throws RoadveilError ERR_EVIDENCE_CONFLICT when something else lies under its name.
   */
  has(manifest: Manifest): Promise<boolean>
  /** Writes evidence; returns where it lies. Of what is there already nothing is harmed. Throws ERR_OUTPUT_FAILED. */
  store(evidence: OpenedEvidence, sealed: SealedForm): Promise<string>
}

/** What is written of an evidence, the sealed form last. Names may hold one folder. */
export function filesOf(
  { facts, files }: OpenedEvidence,
  sealed: SealedForm,
): readonly { readonly name: string; readonly bytes: Uint8Array }[] {
  return [
    { name: 'evidence.json', bytes: Buffer.from(JSON.stringify(facts, null, 2) + '\n') },
    ...files,
    { name: 'sealed/manifest.dsse.json', bytes: sealed.manifest },
    { name: SEALED_FILE, bytes: sealed.ciphertext },
  ]
}

/** The sealed form itself: what is there is told by it. */
export const SEALED_FILE = 'sealed/evidence.tar.age'
