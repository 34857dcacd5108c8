import { Option } from 'commander'

/** `--config FILE`, the same for every verb that needs a config. */
export function configOption(): Option {
  return new Option('-c, --config <file>', 'the config').default('roadveil.yaml')
}

/** `--json`, for every verb that answers something. */
export function jsonOption(): Option {
  return new Option('--json', 'answer with one JSON value')
}
