import t from 'tap'
import { checkConfig } from '../../src/config/load.ts'
import { put, REMOVED, shortFolder, validConfig, writeConfig, writeSite } from './site.ts'

/** What to spoil in a valid config, and the fault that must be the only one: where, why, and what is shown. */
type Case = readonly [path: string, value: unknown, reason: RegExp, got?: string]

const camera = 'cameras[0]'
const rule = 'cameras[0].rules[0]'
const zone = 'cameras[0].zones[0]'

const cases: Case[] = [
  // missing, with what belongs there
  ...['site', 'device', 'store', 'runtimeDirectory', 'city', 'broker', 'cameras'].map(missing),
  ...['site.id', 'site.timeZone', 'device.id', 'device.signingKeyFile', 'store.file', 'store.keyFile'].map(
    missing,
  ),
  ...['city.recipients', 'city.recipients.operational', 'city.recipients.recovery'].map(missing),
  ...['city.receiptKeys', 'city.receiptKeys[0].id', 'city.receiptKeys[0].publicKeyFile'].map(missing),
  ...['broker.url', 'broker.caFile', 'broker.certificateFile', 'broker.keyFile'].map(missing),
  ...[`${camera}.id`, `${camera}.url`, `${zone}.id`, `${rule}.kind`, `${rule}.id`, `${rule}.zone`].map(
    missing,
  ),
  ...[`${rule}.limitSeconds`, `${camera}.rules[1].schedule[0].from`].map(missing),
  ['site.latitude', REMOVED, /^is missing: latitude and longitude come together/],
  ['site.longitude', REMOVED, /^is missing: latitude and longitude come together/],

  // unknown keys, with the nearest known one
  ['site.timezone2', 'x', /^unknown key$/],
  ['colour', 'red', /^unknown key$/],
  ['retentoin', {}, /^unknown key; did you mean "retention"\?$/],
  ['plate', { minConfidence: 0.9 }, /did you mean "plates"\?$/],
  ['log', {}, /did you mean "logs"\?$/],
  [`${camera}.analysis_fps`, 5, /did you mean "analysisFps"\?$/],
  [`${camera}.analysisFPS`, 5, /did you mean "analysisFps"\?$/],
  [`${camera}.preRollSecond`, 5, /did you mean "preRollSeconds"\?$/],
  [`${rule}.shedule`, [], /did you mean "schedule"\?$/],
  [`${rule}.minTravelShare`, 0.5, /^unknown key$/],
  [`${camera}.password`, 'hunter2', /^unknown key/],
  ['broker.password', 'hunter2', /^unknown key/],
  ['__proto__', { polluted: true }, /^unknown key$/],

  // wrong kinds of values
  ['site', 'Main Street', /^must be a group of keys$/, '"Main Street"'],
  ['cameras', { id: 'north' }, /^must be a list of 1 to 32 entries$/, '1 key'],
  ['cameras', [], /^must be a list of 1 to 32 entries$/, 'no entries'],
  [`${camera}.zones[0]`, 'bus-stop', /^must be a group of keys$/, '"bus-stop"'],
  ['site.id', 'Main Street', /^must be a name of lower-case letters/, '"Main Street"'],
  ['site.id', 12, /^must be a name of lower-case letters.*, in quotes$/, '12'],
  ['site.id', '-x', /^must be a name of/, '"-x"'],
  ['site.id', 'a'.repeat(64), /^must be a name of/],
  ['site.name', 7, /^must be a text of at most 200 characters, in quotes$/, '7'],
  ['site.name', 'x'.repeat(201), /^must be a text of at most 200 characters$/, `"${'x'.repeat(59)}…"`],
  ['site.latitude', 91, /^must be a number from -90 to 90$/, '91'],
  ['site.latitude', '52 N', /^must be a number from -90 to 90$/, '"52 N"'],
  ['site.longitude', NaN, /^must be a number from -180 to 180$/, 'NaN'],
  ['site.longitude', [13, 4], /^must be a number/, '[13, 4]'],
  ['device.signingKeyFile', '', /^must be a file name$/, '""'],
  [`${camera}.analysisFps`, 0, /^must be a number from 1 to 15$/, '0'],
  [`${camera}.analysisFps`, true, /^must be a number from 1 to 15$/, 'true'],
  [`${camera}.preRollSeconds`, 500, /^must be a number from 2 to 120$/, '500'],
  [`${camera}.replay`, 'slow', /^must be one of realtime, fast$/, '"slow"'],
  ['cameras[1].replayStartsAt', 'yesterday', /^must be a time like/, '"yesterday"'],
  ['cameras[1].replayStartsAt', '2026-03-01T06:00:00', /^must be a time like/],
  ['cameras[1].replayStartsAt', '2026-02-30T06:00:00Z', /^must be a time like/],
  [
    `${zone}.polygon`,
    [
      [0, 0],
      [1, 1],
    ],
    /^must be a list of 3 to 64 entries$/,
    '2 entries',
  ],
  [`${zone}.polygon[1]`, [0.5], /^must be a point \[x, y\]/, '[0.5]'],
  [`${zone}.polygon[1]`, [0.5, 0.5, 0.5], /^must be a point \[x, y\]/, '[0.5, 0.5, 0.5]'],
  [`${zone}.polygon[1][0]`, 640, /^must be a number from 0 to 1$/, '640'],
  [`${zone}.polygon[1][1]`, '0,5', /^must be a number from 0 to 1$/, '"0,5"'],
  [`${camera}.zones[1].line`, [[0, 0]], /^must be two points/, '1 entry'],
  [`${camera}.zones[1].direction`, 'up', /^must be two points/, '"up"'],
  [`${rule}.kind`, 'no-stoping', /^must be one of .*; did you mean "no-stopping"\?$/, '"no-stoping"'],
  [`${rule}.kind`, 'parking', /^must be one of no-stopping, reserved-lane, wrong-way$/, '"parking"'],
  [`${rule}.limitSeconds`, 'ten', /^must be a number above 0 and at most 86400$/, '"ten"'],
  [`${rule}.limitSeconds`, 0, /^must be a number above 0/, '0'],
  [`${rule}.limitSeconds`, Infinity, /^must be a number above 0/, 'Infinity'],
  [`${rule}.classes`, [], /^must be a list of at least 1 entry$/, 'no entries'],
  [`${rule}.classes`, ['cars'], /^must be one of car, .*; did you mean "car"\?$/, '"cars"'],
  [`${rule}.exemptClasses`, 'bus', /^must be a list$/, '"bus"'],
  [`${rule}.mode`, 'on', /^must be one of warning, live$/, '"on"'],
  [`${rule}.effectiveFrom`, '1.3.2026', /^must be a time like/, '"1.3.2026"'],
  [`${camera}.rules[1].minTravelShare`, 40, /^must be a number from 0.1 to 1$/, '40'],
  [`${camera}.rules[1].schedule[0].days`, ['monday'], /^must be one of mon, .*$/, '"monday"'],
  [`${camera}.rules[1].schedule[0].from`, '7:00', /^must be a time of day like 07:30$/, '"7:00"'],
  [`${camera}.rules[1].schedule[0].to`, '25:00', /^must be a time of day like 07:30$/, '"25:00"'],
  ['plates', { minConfidence: 0.2 }, /^must be a number from 0.5 to 1$/, '0.2'],
  ['store.maxSizeMiB', 1.5, /^must be a whole number from 64 to 1048576$/, '1.5'],
  ['retention', { auditDays: 0 }, /^must be a whole number from 1 to 3650$/, '0'],
  ['logs', { level: 'verbose' }, /^must be one of debug, info, warn, error$/, '"verbose"'],
  ['broker.topicPrefix', 'road/+/x', /^must be words of/, '"road/+/x"'],
  ['broker.topicPrefix', '/road', /^must be words of/, '"/road"'],

  // addresses
  [`${camera}.url`, 'http://10.0.0.2/', /^must be rtsp:\/\/host:port\/path/, '"http://10.0.0.2/"'],
  [`${camera}.url`, 'rtsp:///stream', /^must be rtsp:/],
  [`${camera}.url`, 'rtsp://10.0.0.2:99999/x', /^must be a whole address/],
  [
    `${camera}.url`,
    'rtsp://admin:hunter2@10.0.0.2/x',
    /^must not hold user and password/,
    '"rtsp://***@10.0.0.2/x"',
  ],
  [`${camera}.url`, 'rtsp://admin:hun/ter@2@10.0.0.2/x', /^must not hold user/, '"rtsp://***@10.0.0.2/x"'],
  [`${camera}.url`, 'http://admin:hunter2@10.0.0.2/x', /^must be rtsp/, '"http://***@10.0.0.2/x"'],
  [`${camera}.url`, 'rtsp:admin:hunter2@10.0.0.2', /^must be rtsp/, '"rtsp://***@10.0.0.2"'],
  [
    `${camera}.url`,
    'rtsp://h/user=a&password=hunter2',
    /^must not hold user/,
    '"rtsp://h/user=a&password=***"',
  ],
  ['broker.url', 'mqtt://broker:1883', /^must be mqtts:\/\/host:port/, '"mqtt://broker:1883"'],
  [
    'broker.url',
    'mqtts://box:hunter2@broker:8883',
    /^must be mqtts:.*without user/,
    '"mqtts://***@broker:8883"',
  ],
  ['broker.url', 'mqtts://broker:8883/path', /^must be mqtts:/, '"mqtts://broker:8883/path"'],
  [
    'city.recipients.operational',
    'AGE-SECRET-KEY-1QQQQ',
    /^must be an age recipient/,
    'a value that is not shown',
  ],
  ['city.recipients.operational', 'age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqq', /^is not a whole age recipient/],

  // how things fit each other
  ['site.timeZone', 'Europe/Berln', /^must be an IANA time zone/, '"Europe/Berln"'],
  ['site.timeZone', '+02:00', /^must be an IANA time zone/, '"+02:00"'],
  ['cameras[1].id', 'north', /^must be another id than that of entry 1/, '"north"'],
  [`${camera}.zones[1].id`, 'bus-stop', /another id/],
  [`${camera}.rules[1].id`, 'no-stopping', /another id/],
  [`${rule}.zone`, 'busstop', /^names no zone of this camera; did you mean "bus-stop"\?$/, '"busstop"'],
  [`${rule}.zone`, 'harbour', /^names no zone of this camera$/, '"harbour"'],
  [`${rule}.zone`, 'one-way', /^must be a polygon for a no-stopping rule$/, '"one-way"'],
  [`${camera}.rules[2].zone`, 'bus-stop', /^must have a direction for a wrong-way rule$/, '"bus-stop"'],
  [`${camera}.rules[1].effectiveFrom`, REMOVED, /^is missing: a live rule/],
  [
    `${camera}.rules[1].exemptClasses`,
    ['car', 'truck', 'bus', 'motorcycle', 'bicycle'],
    /^exempts every class/,
  ],
  [`${camera}.rules[1].schedule[0].to`, '07:00', /^is the same as from/],
  [`${camera}.rules[1].schedule[0].from`, '24:00', /^must be before 24:00/],
  [
    zone,
    {
      id: 'bus-stop',
      polygon: [
        [0, 0],
        [1, 0],
        [1, 1],
      ],
      line: [
        [0, 0],
        [1, 1],
      ],
    },
    /^has polygon and line/,
  ],
  [
    `${zone}.polygon`,
    [
      [0.1, 0.1],
      [0.5, 0.4],
      [0.5, 0.1],
      [0.1, 0.4],
    ],
    /^crosses itself/,
  ],
  [
    `${zone}.polygon`,
    [
      [0.1, 0.1],
      [0.5, 0.1],
      [0.3, 0.1],
    ],
    /^crosses itself/,
  ],
  [
    `${zone}.polygon`,
    [
      [0.1, 0.1],
      [0.5, 0.1],
      [0.5, 0.4],
      [0.1, 0.1],
    ],
    /^has the same corner twice \(1 and 4\)/,
  ],
  [
    `${zone}.polygon`,
    [
      [0.1, 0.1],
      [0.5, 0.1],
      [0.3, 0.1001],
    ],
    /^encloses no area/,
  ],
  [
    `${camera}.zones[1].line`,
    [
      [0.1, 0.9],
      [0.1, 0.9],
    ],
    /^is too short/,
  ],
  [
    `${camera}.zones[1].direction`,
    [
      [0.1, 0.9],
      [0.1, 0.901],
    ],
    /^is too short/,
  ],
  [`${camera}.replayStartsAt`, '2026-03-01T06:00:00Z', /^is only for recordings/],
  [`${camera}.replay`, 'fast', /^is only for recordings/],
  ['device.id', 'receiver', /^must be another name/, '"receiver"'],
  ['cameras[1].credentialsFile', 'keys/north.txt', /^is only for cameras/],
  ['retention', { schedule: 'hourly' }, /^must be a cron expression of five fields/, '"hourly"'],
  ['retention', { schedule: '* * * * * *' }, /^must be a cron expression of five fields/],
  ['retention', { schedule: '61 * * * *' }, /^must be a cron expression of five fields/],
  ['retention', { schedule: '0 0 31 2 *' }, /^is a time that never comes/],
  [
    'city.receiptKeys[1]',
    { id: 'city-1', publicKeyFile: 'keys/city.pem' },
    /^must be another id/,
    '"city-1"',
  ],

  // files
  ['device.signingKeyFile', 'keys/none.pem', /^does not exist/, '"keys/none.pem"'],
  [
    'store.keyFile',
    'keys/open.key',
    /^may be read by others: mode is 0644, must be 0600$/,
    '"keys/open.key"',
  ],
  ['store.keyFile', 'keys/empty.key', /^is empty$/],
  ['broker.keyFile', 'keys', /^is not a file$/],
  ['broker.caFile', 'keys/none.pem', /^does not exist/],
  [`${camera}.credentialsFile`, 'admin:hunter2', /^does not exist/, 'a value that is not shown'],
  ['store.keyFile', 'c0ffee00'.repeat(8), /^does not exist/, 'a value that is not shown'],
  ['store.file', 'nowhere/roadveil.db', /^lies in a folder that does not exist$/],
  ['store.file', 'state', /^must be a file, not a folder$/],
  ['runtimeDirectory', `/run/${'r'.repeat(100)}`, /^is too long for sockets/],
  ['runtimeDirectory', 'clip.mp4', /^must be a folder$/],
  ['logs', { directory: 'clip.mp4' }, /^must be a folder$/],
  ['cameras[1].url', 'file:none.mp4', /^does not exist/, '"file:none.mp4"'],
]

function missing(path: string): Case {
  return [path, REMOVED, /^is missing/]
}

await t.test(
  `each of ${cases.length} wrong configs gives its one fault, with path, reason and value`,
  async (t) => {
    t.ok(cases.length >= 100)
    const file = writeSite(shortFolder(t))
    for (const [path, value, reason, got] of cases) {
      const config = validConfig()
      put(config, path, value)
      writeConfig(file, config)
      const { faults, config: loaded } = await checkConfig(file)
      const name = `${path} = ${typeof value === 'symbol' ? 'nothing' : JSON.stringify(value).slice(0, 60)}`
      t.equal(loaded, undefined, `${name} is refused`)
      const found = faults.find((fault) => reason.test(fault.reason) && fault.path.startsWith(path))
      if (!t.ok(found, `${name} gives its fault`, { faults })) continue
      if (got !== undefined) t.equal(found?.got, got, `${name} shows what it got`)
      t.ok((found?.line ?? 0) >= 1, `${name} has a line`)
      // Taking an id or a zone away also breaks the rules that name it.
      if (!/zones|^cameras$|city.recipients$/.test(path))
        t.equal(faults.length, 1, `${name} gives no other`, { faults })
      t.notMatch(JSON.stringify(faults), /hunter2|AGE-SECRET|c0ffee|ter@2/, `${name} shows no secret`)
    }
  },
)

await t.test('all faults of a file come at once, in the order of its lines', async (t) => {
  const file = writeSite(shortFolder(t))
  const config = validConfig()
  put(config, 'site.id', 'Main Street')
  put(config, 'site.timeZone', 'Mars/Olympus')
  put(config, 'cameras[0].zones[0].polygon[0]', [2, 2])
  put(config, 'cameras[0].rules[0].limitSeconds', 'ten')
  put(config, 'cameras[0].rules[2].zone', 'nowhere')
  put(config, 'store.keyFile', 'keys/none.key')
  put(config, 'brocker', {})
  writeConfig(file, config)
  const { faults } = await checkConfig(file)
  t.strictSame(
    faults.map(({ path }) => path),
    [
      'site.id',
      'site.timeZone',
      'cameras[0].zones[0].polygon[0][0]',
      'cameras[0].zones[0].polygon[0][1]',
      'cameras[0].rules[0].limitSeconds',
      'cameras[0].rules[2].zone',
      'store.keyFile',
      'brocker',
    ],
  )
  t.match(
    faults.find(({ path }) => path === 'store.keyFile'),
    { code: 'ERR_SECRET_FILE' },
  )
})

await t.test('an entry of an unknown kind is checked as the kind that fits it best', async (t) => {
  const file = writeSite(shortFolder(t))
  for (const kind of ['no-stoping', 'parking', REMOVED]) {
    const config = validConfig()
    put(config, `${rule}.limitSeconds`, -1)
    put(config, `${rule}.shedule`, [])
    put(config, `${rule}.kind`, kind)
    writeConfig(file, config)
    const { faults } = await checkConfig(file)
    t.same(faults.map(({ path }) => path).sort(), [`${rule}.kind`, `${rule}.limitSeconds`, `${rule}.shedule`])
  }
})

await t.test('a secret that was written as a key is not shown either', async (t) => {
  const file = writeSite(shortFolder(t), { ...validConfig(), 'rtsp://admin:hunter2@10.0.0.2/': 'north' })
  const { faults } = await checkConfig(file)
  t.match(faults, [{ path: '["rtsp://***@10.0.0.2/"]', reason: 'unknown key' }])
})
