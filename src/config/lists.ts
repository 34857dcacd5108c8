import { valueText, type ConfigPath, type Finding } from '../config-file/finding.ts'
import { valueAt } from '../config-file/shape.ts'

/** Ids that are there twice in a list of things with an `id`. */
export function findRepeated(list: readonly unknown[], path: ConfigPath): Finding[] {
  const ids = list.map((item) => valueAt(item, ['id']))
  return ids.flatMap((id, i) => {
    const first = ids.indexOf(id)
    if (typeof id !== 'string' || first === i) return []
    const reason = `must be another id than that of entry ${first + 1} of the list`
    return [{ path: [...path, i, 'id'], reason, got: valueText(path, id) }]
  })
}

/** The list at a path, or an empty one where there is none. */
export function listAt(root: unknown, path: ConfigPath): readonly unknown[] {
  const list = valueAt(root, path)
  return Array.isArray(list) ? list : []
}
