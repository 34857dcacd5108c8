import { replaceFile } from '../../../src/receiver/folder/files.ts'
import { replaceFile as replaceStoreFile } from '../../../src/store/sync.ts'

/** Puts files in the place of others, `CITY_FILE STORE_FILE CONTENT TIMES`, while somebody else does the same. */

const [cityFile = '', storeFile = '', content = '', times] = process.argv.slice(2)
for (let n = 0; n < Number(times); n++) {
  await replaceFile(cityFile, Buffer.from(content))
  replaceStoreFile(storeFile, Buffer.from(content))
}
