import type { Detectors, RegionFinder } from '../../src/privacy/search.ts'

/** Networks that find what a test tells them to; both that look for plates and faces find the same. */
export function detectorsOf(
  detect: RegionFinder['detect'],
  detectIn: Detectors['objects']['detectIn'] = async () => [],
): Detectors {
  return { objects: { detectIn }, regions: { detect }, fineRegions: { detect } }
}

/** Networks that find nothing at all. */
export const FINDING_NOTHING: Detectors = detectorsOf(async () => [])
