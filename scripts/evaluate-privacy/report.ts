import { linesOf } from './print.ts'
import type { Leak, Result } from './result.ts'

/** Thumbnails of one hider and result; the largest objects come first. */
const MAX_SHOWN = 400

/**
 * A page that needs nothing else, with a picture of everything that was left open. It shows what should have been hidden, raw:
 * it is for whoever evaluates, and not to be given away.
 */
export function reportPage(results: readonly Result[]): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Roadveil: what was left open</title>
<style>${STYLE}</style>
<h1>What was left open</h1>
<p class="warning">This page shows faces and plates that are not hidden. It is for the evaluator only: do not pass it on, and
delete it when it has been looked at.</p>
<p>Red: the labelled object. Blue: what was hidden around it.</p>
${results.map(sectionOf).join('\n')}
</html>
`
}

function sectionOf(result: Result): string {
  const hiders = [...result.tallies.keys()].map((name) => {
    const leaks = result.leaks.filter(({ hider }) => hider === name).sort((a, b) => b.box.h - a.box.h)
    const rest = leaks.length > MAX_SHOWN ? `<p>and ${leaks.length - MAX_SHOWN} smaller ones</p>` : ''
    const list = leaks.slice(0, MAX_SHOWN).map(figureOf).join('\n')
    return `<details${leaks.length < MAX_SHOWN ? ' open' : ''}><summary>${escape(name)}: ${leaks.length} left open</summary>
<div class="leaks">${list}</div>${rest}</details>`
  })
  return `<h2>${escape(result.title)}</h2>
<pre>${linesOf(result).slice(1).map(escape).join('\n')}</pre>
${hiders.join('\n')}`
}

function figureOf({ kind, where, box, covered, thumbnail }: Leak): string {
  if (!thumbnail) return ''
  const { part, jpeg, masks } = thumbnail
  const rectangle = (name: string, { x, y, w, h }: Leak['box']): string =>
    `<rect class="${name}" x="${round(x)}" y="${round(y)}" width="${round(w)}" height="${round(h)}"/>`
  return `<figure><svg viewBox="${part.x} ${part.y} ${part.w} ${part.h}">
<image href="data:image/jpeg;base64,${jpeg.toString('base64')}" x="${part.x}" y="${part.y}" width="${part.w}" height="${part.h}"/>
${masks.map((mask) => rectangle('mask', mask)).join('')}${rectangle('object', box)}
</svg><figcaption>${escape(kind)}, ${Math.round(box.h)} px high, ${Math.round(100 * covered)} % hidden<br>${escape(where)}</figcaption></figure>`
}

function round(value: number): string {
  return value.toFixed(1)
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}

const STYLE = `
body { font: 14px/1.4 system-ui, sans-serif; margin: 2rem; color: #222 }
.warning { background: #fde8e8; border: 1px solid #c53030; padding: .6rem .8rem; max-width: 60rem }
pre { overflow-x: auto; background: #f5f5f5; padding: .6rem }
summary { font-weight: 600; cursor: pointer; margin: .6rem 0 }
.leaks { display: flex; flex-wrap: wrap; gap: 12px }
figure { margin: 0; width: 200px }
svg { width: 200px; height: 150px; background: #eee; display: block }
rect { fill: none; vector-effect: non-scaling-stroke; stroke-width: 2 }
.object { stroke: #e53e3e }
.mask { stroke: #2b6cb0; fill: #2b6cb040 }
figcaption { font-size: 12px; overflow-wrap: anywhere }
`
