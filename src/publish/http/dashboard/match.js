// Matches each picture with the scene of the same frame.

/** @import { Picture } from "./player.js" */
/** @import { Scene } from "./types.js" */

/** Without a scene for this long, pictures are shown without boxes. */
const SCENELESS_MS = 1500;
const KEPT_SCENES = 120;
const KEPT_PICTURES = 60;

/**
 * Pictures and scenes of one camera come on two connections, in no order between them. A picture waits for its
 * scene. One whose scene cannot come any more, since a later scene is there, was skipped by the engine and is not
 * shown. Where no scenes come at all, pictures are shown without.
 */
export class Matcher {
  /** @param {(picture: Picture, scene: Scene|null) => void} show */
  constructor(show, now = () => performance.now()) {
    this.show = show;
    this.now = now;
    /** By number. @type {Map<number, Picture>} */
    this.pictures = new Map();
    /** By number. @type {Map<number, Scene>} */
    this.scenes = new Map();
    this.latestScene = this.shown = -1;
    this.lastSceneAt = now();
  }

  /** Forgets everything: the daemon was restarted and counts from the start again. */
  reset() {
    for (const seq of this.pictures.keys()) this.drop(seq);
    this.scenes.clear();
    this.latestScene = this.shown = -1;
    this.lastSceneAt = this.now();
  }

  /** Whether scenes come at all. */
  hasScenes() {
    return this.now() - this.lastSceneAt < SCENELESS_MS;
  }

  /** @param {Scene} scene */
  scene(scene) {
    this.lastSceneAt = this.now();
    this.latestScene = scene.seq;
    const picture = this.pictures.get(scene.seq);
    this.pictures.delete(scene.seq);
    for (const seq of this.pictures.keys()) {
      if (seq < scene.seq) this.drop(seq);
    }
    if (picture) return this.pair(picture, scene);
    this.scenes.set(scene.seq, scene);
    for (const seq of surplus(this.scenes, KEPT_SCENES)) this.scenes.delete(seq);
  }

  /** @param {Picture} picture */
  picture(picture) {
    const scene = this.scenes.get(picture.seq);
    if (scene) return this.pair(picture, scene);
    if (!this.hasScenes()) return this.pair(picture, null);
    if (picture.seq < this.latestScene) return picture.close(); // skipped by the engine
    this.pictures.set(picture.seq, picture);
    for (const seq of surplus(this.pictures, KEPT_PICTURES)) this.drop(seq);
  }

  /** @param {Picture} picture @param {Scene|null} scene */
  pair(picture, scene) {
    this.scenes.delete(picture.seq);
    if (picture.seq <= this.shown) return picture.close();
    this.shown = picture.seq;
    this.show(picture, scene);
  }

  /** Drops a waiting picture. @param {number} seq */
  drop(seq) {
    this.pictures.get(seq)?.close();
    this.pictures.delete(seq);
  }
}

/** The keys of the oldest entries beyond the newest `limit`. @param {Map<number, unknown>} map @param {number} limit */
function surplus(map, limit) {
  return map.size > limit ? [...map.keys()].slice(0, map.size - limit) : [];
}
