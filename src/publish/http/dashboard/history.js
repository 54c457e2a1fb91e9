// What happened in the last minutes, in steps of two seconds.

/** @import { Detection, Scene, Stage } from "./types.js" */

/** @typedef {Record<string, number>} Numbers by name */

/** @typedef {{at: number, scenes: Numbers, stages: Numbers, counts: Numbers, readings: Numbers}} Interval one step */

/** Length of one step, and how many there are. */
export const STEP_MS = 2000;
export const STEPS = 150;
/** The stages of a scene's timings, in the order in which a frame passes them. @type {Stage[]} */
export const STAGES = ["capture", "wait", "preprocess", "infer", "decode"];

/** Scenes, their timings and peaks of counts, and the machine's readings, one of each for each step. */
export class History {
  constructor() {
    /** @type {Interval[]} */
    this.steps = [];
    /** By camera: counts by label in its latest scene. @type {Map<string, Numbers>} */
    this.inView = new Map();
    this.current = this.begin(performance.now());
  }

  /** Begins a step. @param {number} at @returns {Interval} */
  begin(at) {
    this.current = { at, scenes: {}, stages: {}, counts: {}, readings: {} };
    this.steps.push(this.current);
    if (this.steps.length > STEPS) this.steps.shift();
    return this.current;
  }

  /** Begins as many steps as the time since the last call asks for. */
  advance() {
    const now = performance.now();
    // After a long pause (a sleeping laptop) the clock jumps on instead of filling hours of steps.
    if (now - this.current.at > STEP_MS * STEPS) this.begin(now);
    while (now - this.current.at > STEP_MS) this.begin(this.current.at + STEP_MS);
  }

  /**
   * Adds a scene.
   * @param {Scene} scene
   * @param {Detection[]} detections those of the scene that are to be counted
   */
  add(scene, detections) {
    this.advance();
    const { scenes, stages, counts } = this.current;
    scenes[scene.camera] = (scenes[scene.camera] ?? 0) + 1;
    for (const stage of STAGES) stages[stage] = (stages[stage] ?? 0) + (scene.timings_ms[stage] ?? 0);
    /** @type {Numbers} */
    const here = {};
    for (const { label } of detections) here[label] = (here[label] ?? 0) + 1;
    this.inView.set(scene.camera, here);
    for (const label in here) counts[label] = Math.max(counts[label] ?? 0, this.countNow(label));
  }

  /** How many of a class are in view, all cameras together. @param {string} label */
  countNow(label) {
    return [...this.inView.values()].reduce((sum, camera) => sum + (camera[label] ?? 0), 0);
  }

  /** Readings of the machine. @param {Numbers} readings */
  read(readings) {
    this.advance();
    Object.assign(this.current.readings, readings);
  }

  /** The steps that are over: the one under way is incomplete and would show as a drop. */
  get past() {
    return this.steps.slice(0, -1);
  }

  /** Mean milliseconds of a stage. @param {Stage} name @returns {(number|null)[]} */
  stage(name) {
    return this.past.map(({ scenes, stages }) => {
      const count = sum(Object.values(scenes));
      return count ? (stages[name] ?? 0) / count : null;
    });
  }

  /** Scenes per second of a camera. @param {string} camera @returns {number[]} */
  rate(camera) {
    return this.past.map(({ scenes }) => ((scenes[camera] ?? 0) * 1000) / STEP_MS);
  }

  /** Most of a class at once. @param {string} label @returns {number[]} */
  count(label) {
    return this.past.map(({ counts }) => counts[label] ?? 0);
  }

  /** A reading of the machine, which holds until the next one. @param {string} name @returns {(number|null)[]} */
  reading(name) {
    /** @type {number|null} */
    let last = null;
    return this.past.map(({ readings }) => (last = readings[name] ?? last));
  }

  /** Names of cameras or labels, the most frequent first. @param {"scenes"|"counts"} what */
  names(what) {
    /** @type {Map<string, number>} */
    const totals = new Map();
    for (const step of this.steps) {
      for (const name in step[what]) totals.set(name, (totals.get(name) ?? 0) + step[what][name]);
    }
    return [...totals].sort((a, b) => b[1] - a[1]).map(([name]) => name);
  }
}

/** @param {number[]} values */
const sum = (values) => values.reduce((a, b) => a + b, 0);
