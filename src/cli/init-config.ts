/** What the config of a new box says. File names are relative to its folder. */
export interface BoxConfigValues {
  readonly site: string
  readonly device: string
  readonly timeZone: string
  /** rtsp://… or file:…, without credentials. */
  readonly cameraUrl: string
  readonly signingKeyFile: string
  readonly deviceKeyFile: string
  readonly databaseKeyFile: string
  readonly brokerUrl: string
  readonly topicPrefix: string
  readonly caFile: string
  readonly certificateFile: string
  readonly certificateKeyFile: string
  /** Absent until the city has given them: `check` lists what is missing. */
  readonly recipients?: { readonly operational: string; readonly recovery: string }
  readonly receiptKey?: { readonly id: string; readonly file: string }
  readonly commandKey?: { readonly id: string; readonly file: string }
}

/** roadveil.yaml of a new box, with a comment for every key that an installer has to think about. */
export function boxConfig(values: BoxConfigValues): string {
  const { recipients, receiptKey, commandKey } = values
  return `# Roadveil's config. Look for mistakes with: roadveil check --config FILE
# config/reference.md explains every key. File names are relative to this file's folder.

site:
  id: ${values.site}
  name: ""                      # in words, for people
  timeZone: ${values.timeZone}
  # latitude: 52.5163           # both or none
  # longitude: 13.3777
  # legalBasis: Article … of …  # what a person is told who asks for a copy: name article and law

device:
  id: ${values.device}                   # the same name as in the box's certificate
  signingKeyFile: ${values.signingKeyFile}
  keyFile: ${values.deviceKeyFile}      # unwraps store.keyFile; better a systemd credential: config/keys.md

cameras:
  - id: camera-1
    url: ${JSON.stringify(values.cameraUrl)}
    # Never write user and password into the URL: put one line user:password into a file with mode 0600.
    # credentialsFile: keys/camera-1.txt
    analysisFps: 5              # frames per second that are searched for vehicles
    preRollSeconds: 10          # video kept in memory from before a violation
    zones:
      # Corners as [x, y] in 0-1 of the picture: [0, 0] is top left, [1, 1] bottom right.
      - id: zone-1
        polygon: [[0.30, 0.60], [0.70, 0.60], [0.70, 0.90], [0.30, 0.90]]
      # A wrong-way zone says which way traffic may go:
      # - id: one-way
      #   line: [[0.2, 0.7], [0.8, 0.7]]
      #   direction: [[0.5, 0.8], [0.5, 0.5]]
    rules:
      - id: no-stopping-1
        kind: no-stopping       # or reserved-lane, wrong-way
        zone: zone-1
        limitSeconds: 30
        # exemptClasses: [bus]
        # schedule:             # without it the rule holds always
        #   - { days: [mon, tue, wed, thu, fri], from: "07:00", to: "19:00" }
        mode: warning           # live evidence is for enforcement and needs effectiveFrom
        # effectiveFrom: 2026-03-01T00:00:00+01:00

store:
  file: state/roadveil.db
  keyFile: ${values.databaseKeyFile}    # wrapped for device.keyFile and the recovery recipient below
  maxSizeMiB: 4096

runtimeDirectory: run           # for sockets; mode 0700

city:
  recipients:                   # who can open evidence: the city, never this box
    operational:${recipients ? ` ${recipients.operational}` : '                # age1…, from the city'}
    recovery:${recipients ? ` ${recipients.recovery}` : '                   # age1…, kept offline by the city'}
  receiptKeys:                  # whose receipts let evidence be deleted here
    - id: ${receiptKey ? receiptKey.id : '                      # from the city'}
      publicKeyFile: ${receiptKey ? receiptKey.file : 'city/receipt.pem'}
${commandKeysText(commandKey)}

broker:
  url: ${values.brokerUrl}
  topicPrefix: ${values.topicPrefix}
  caFile: ${values.caFile}
  certificateFile: ${values.certificateFile}
  keyFile: ${values.certificateKeyFile}

retention:
  schedule: 17 * * * *          # when the purge runs (cron, time zone of the site)
  tombstoneDays: 365
  auditDays: 730
  logDays: 30
  certificateDays: 1095         # the signed accounts of what was deleted

logs:
  level: info
  # directory: logs             # one file a day; without it log lines go to stderr only
`
}

function commandKeysText(key: BoxConfigValues['commandKey']): string {
  return key
    ? `  commandKeys:                  # whose commands are taken: hold, release, erase, resend, rotate-key
    - id: ${key.id}
      publicKeyFile: ${key.file}`
    : `  commandKeys: []               # whose commands are taken; without a key of the city none
  # commandKeys:
  #   - id:                     # from the city
  #     publicKeyFile: city/command.pem`
}
