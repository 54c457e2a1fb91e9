// Types of what the daemon answers, for the type checker (scripts/types.sh). Only comments refer to this file, so it is
// not served. docs/openapi.json describes each field.

/** @typedef {{x: number, y: number, w: number, h: number}} Box edges as parts of the picture, 0..1 */

/** @typedef {{width: number, height: number}} Size in pixels */

/** @typedef {{label: string, class_id: number, score: number, box: Box, track_id?: number}} Detection */

/** @typedef {"capture"|"wait"|"preprocess"|"infer"|"decode"} Stage */

/**
 * @typedef {object} Scene
 * @property {"scene"} type
 * @property {string} camera
 * @property {number} seq
 * @property {Detection[]} detections by falling score
 * @property {Record<Stage, number>} timings_ms
 */

/** @typedef {Scene | {type: "lost", count: number}} StreamMessage what `ws` sends */

/** @typedef {"starting"|"running"|"stalled"|"retrying"|"failed"|"ended"|"stuck"|"disabled"} CameraState */

/** @typedef {{codec?: string|null, encoder?: string|null, reason?: string|null, viewers: number}} Video */

/**
 * @typedef {object} Camera
 * @property {string} name
 * @property {CameraState} state
 * @property {string} source
 * @property {number} fps
 * @property {number} restarts
 * @property {number|null} [seq]
 * @property {Size|null} [size]
 * @property {string|null} [last_error]
 * @property {Video} [video]
 */

/**
 * @typedef {object} CameraSettings
 * @property {boolean} enabled
 * @property {{score: number, classes: Record<string, number|boolean>}} detection
 */

/**
 * @typedef {object} CameraChange what PATCH takes
 * @property {boolean} [enabled]
 * @property {{score?: number, classes?: Record<string, number|boolean>}} [detection]
 */

/** @typedef {"loading_runtime"|"building"|"warming_up"|"ready"|"failed"} PhaseName */

/** @typedef {{name: PhaseName, elapsed_s?: number|null, usual_s?: number|null, reason?: string|null}} Phase */

/** @typedef {"active"|"unavailable"|"disabled"} ProviderState */

/** @typedef {{name: string, state: ProviderState, nodes?: number|null, reason?: string|null}} ProviderStatus */

/**
 * @typedef {object} Engine
 * @property {string} model
 * @property {string} provider
 * @property {ProviderStatus[]} providers
 * @property {string} runtime_version
 * @property {string|null} [licence]
 * @property {{name: string, difference: string}|null} [stands_in_for]
 */

/** @typedef {{phase: Phase, engine?: Engine|null}} ModelStatus */

/** @typedef {"throttled"|"brown_out"|"rate_lowered"} BoardNote */

/** @typedef {"maxn"|"five_watt"|"custom"} PowerMode */

/**
 * @typedef {object} BoardStatus
 * @property {{name: string, celsius: number}[]} thermal_zones
 * @property {BoardNote[]} notes
 * @property {string|null} [model]
 * @property {PowerMode|null} [power_mode]
 * @property {{watts?: number|null, volts?: number|null}|null} [power]
 * @property {{total_bytes: number, available_bytes: number}|null} [memory]
 * @property {{resident_bytes: number}|null} [process]
 * @property {{load?: number|null}|null} [gpu]
 */

/** @typedef {{board?: BoardStatus|null, limit_fps?: number|null}} SystemStatus */

/** @typedef {{seq: number, at: string, level: "error"|"warn"|"info"|"debug"|"trace", message: string}} LogLine */

/** @typedef {{detections: Detection[], timings_ms: {infer: number}}} DetectAnswer what POST `detect` gives */

/** @typedef {{type: "start", mime: string, width: number, height: number}} VideoStart precedes a new timeline */

/** @typedef {"connecting"|"live"|"lost"} LinkState */

/**
 * What GET gives, by path.
 * @typedef {object} Answers
 * @property {{cameras: Camera[]}} cameras
 * @property {{camera: Record<string, CameraSettings>}} config
 * @property {{now: string}} healthz
 * @property {{lines: LogLine[], last: number}} logs
 * @property {ModelStatus} model
 * @property {{role: "read"|"admin", logged_in: boolean}} session
 * @property {SystemStatus} system
 * @property {{name: string, version: string}} version
 */

export {};
