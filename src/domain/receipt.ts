/**
 * The city's word about one evidence. Only `stored` and `duplicate` say that the city has it and let the box delete it;
 * `incomplete` names the chunks that are missing, `rejected` says why it was set aside.
 */
export interface Receipt {
  readonly deviceId: string
  readonly evidenceId: string
  /** SHA-256 of the sealed evidence (the age ciphertext), lower-case hex. */
  readonly ciphertextSha256: string
  readonly status: 'stored' | 'duplicate' | 'incomplete' | 'rejected'
  /** Which of the city's receipt keys signed. */
  readonly keyId: string
  /** ISO 8601, UTC. */
  readonly issuedAt: string
  /** With `incomplete`: indexes of the chunks to send again. */
  readonly missing?: readonly number[]
  /** With `rejected`: the error code. */
  readonly reason?: string
}
