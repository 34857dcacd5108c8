import { env } from 'node:process'

/**
 * Keeps ONNX Runtime to itself. From 1.29 on its Linux builds report to their maker over HTTPS, and keep a device id and a
 * database of what is yet to be sent in the home folder, unless this is set before the library is loaded
 * (github.com/microsoft/onnxruntime/pull/27379). Import it before `onnxruntime-node`.
 *
 * Only the main thread can change the environment that libraries see: it has to load this before a worker thread does.
 */
env['ORT_DISABLE_TELEMETRY'] = '1'
