import t from 'tap'
import { nearestWord } from '../../src/config-file/suggestion.ts'

await t.test('the nearest word is found across cases and separators, and only when it is near', async (t) => {
  const known = ['limitSeconds', 'schedule', 'id', 'url']
  t.equal(nearestWord('limit_second', known), 'limitSeconds')
  t.equal(nearestWord('shedule', known), 'schedule')
  t.equal(nearestWord('ip', known), 'id')
  t.equal(nearestWord('colour', known), undefined)
})
