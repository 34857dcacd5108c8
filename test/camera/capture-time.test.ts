import t from 'tap'
import { LiveTime } from '../../src/camera/capture-time.ts'
import { Watchdog } from '../../src/camera/watchdog.ts'

const T0 = Date.UTC(2026, 2, 1)

/** Sends packets of a 25 fps camera with a key frame a second. `late` says how late each arrives, `shiftMs` what the host's clock is off. Returns the anchors that held in turn. */
function send(
  time: LiveTime,
  fromMs: number,
  toMs: number,
  late: (pts: number) => number,
  shiftMs = 0,
): (number | undefined)[] {
  const anchors: (number | undefined)[] = []
  for (let pts = fromMs; pts < toMs; pts += 40) {
    const arrived = pts + late(pts)
    time.observe({ pts, key: pts % 1000 === 0 }, T0 + arrived + shiftMs, arrived)
    const anchor = time.anchorFor(pts)
    if (anchor !== anchors.at(-1)) anchors.push(anchor)
  }
  return anchors
}

await t.test(
  'the quickest packet of the first seconds sets the anchor, and a burst does not spoil it',
  async (t) => {
    const time = new LiveTime()
    send(time, 0, 1_000, (pts) => 1_200 - pts) // all at once
    t.equal(time.anchorFor(0), undefined, 'not settled yet')
    send(time, 1_000, 4_000, (pts) => 200 + (pts % 7))
    t.equal(time.anchorFor(0), T0 + 200)
    t.equal(time.anchorFor(90_000), T0 + 200)
  },
)

await t.test('jitter and stalls do not move the anchor', async (t) => {
  const time = new LiveTime()
  const anchors = [T0 + 100]
  t.same(
    send(time, 0, 60_000, (pts) => 100 + (pts % 900)),
    anchors,
  )
  t.same(
    send(time, 60_000, 66_000, (pts) => 66_000 - pts),
    anchors,
  )
  t.same(
    send(time, 66_000, 120_000, (pts) => 100 + (pts % 900)),
    anchors,
  )
})

await t.test(
  'a clock that steps or drifts by more than a second moves it once, at a key frame',
  async (t) => {
    const time = new LiveTime()
    send(time, 0, 20_000, () => 100)
    t.same(
      send(time, 20_000, 50_000, () => 100, -3_600_000),
      [T0 + 100, T0 + 100 - 3_600_000],
    )
    t.equal(time.anchorFor(19_000), T0 + 100, 'older frames keep their time')
  },
)

await t.test('a camera with fewer than a quarter of its frames counts as stalled', async (t) => {
  const judge = (everyMs: number, nominalFps?: number): boolean => {
    const watchdog = new Watchdog(5, 20_000)
    watchdog.start(0)
    if (nominalFps !== undefined) watchdog.expect(nominalFps)
    for (let at = 0; at < 30_000; at += everyMs) watchdog.seen(at)
    return watchdog.isStalled(30_000)
  }
  t.notOk(judge(200))
  t.notOk(judge(750))
  t.ok(judge(1_000), 'one in five')
  t.notOk(judge(1_000, 1), 'a camera that sends one a second is not dripping')
})

await t.test('a camera has the whole time for its first frame', async (t) => {
  const watchdog = new Watchdog(5, 20_000)
  watchdog.start(1_000)
  t.notOk(watchdog.isStalled(20_900))
  t.ok(watchdog.isStalled(21_000))
  watchdog.start(30_000)
  t.notOk(watchdog.isStalled(31_000), 'a new connection begins anew')
})
