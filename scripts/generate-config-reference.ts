import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { referenceFiles } from '../src/config/reference.ts'
import { protocolDocuments } from './protocol-documents.ts'

/** Writes the pages of config/ anew. A test fails while they differ from the source. */
const folder = join(import.meta.dirname, '..', 'config')
mkdirSync(folder, { recursive: true })
for (const [name, text] of Object.entries(referenceFiles())) writeFileSync(join(folder, name), text)

const protocol = join(folder, 'protocol')
mkdirSync(protocol, { recursive: true })
for (const [name, text] of Object.entries(protocolDocuments())) writeFileSync(join(protocol, name), text)
