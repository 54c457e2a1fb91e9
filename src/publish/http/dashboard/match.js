// Brings each picture together with the scene of its own frame.

/** Without a scene for this long, pictures are shown without boxes. */
const SCENELESS_MS = 1500;
const KEPT_SCENES = 120;
const KEPT_PICTURES = 60;

/**
 * Pictures and scenes of one camera come on two connections, in no order between them. A picture waits for its
 * scene. One whose scene can not come any more, since a later scene is there, was skipped by the engine and is not
 * shown. Where no scenes come at all, pictures are shown without.
 */
export class Matcher {
  /** @param {(picture: {seq: number}, scene: object|null) => void} show */
  constructor(show, now = () => performance.now()) {
    this.show = show;
    this.now = now;
    this.reset();
  }

  /** Forgets everything: the daemon was restarted and counts anew. */
  reset() {
    this.pictures = new Map();
    this.scenes = new Map();
    this.latestScene = -1;
    this.shown = -1;
    this.lastSceneAt = this.now();
  }

  /** Whether scenes come at all. */
  hasScenes() {
    return this.now() - this.lastSceneAt < SCENELESS_MS;
  }

  scene(scene) {
    this.lastSceneAt = this.now();
    this.latestScene = scene.seq;
    const picture = this.pictures.get(scene.seq);
    for (const seq of this.pictures.keys()) {
      if (seq <= scene.seq) this.pictures.delete(seq);
    }
    if (picture) return this.pair(picture, scene);
    this.scenes.set(scene.seq, scene);
    trim(this.scenes, KEPT_SCENES);
  }

  picture(picture) {
    const scene = this.scenes.get(picture.seq);
    if (scene) return this.pair(picture, scene);
    if (!this.hasScenes()) return this.pair(picture, null);
    if (picture.seq < this.latestScene) return; // skipped by the engine
    this.pictures.set(picture.seq, picture);
    trim(this.pictures, KEPT_PICTURES);
  }

  pair(picture, scene) {
    this.scenes.delete(picture.seq);
    if (picture.seq <= this.shown) return;
    this.shown = picture.seq;
    this.show(picture, scene);
  }
}

/** Drops the oldest entries. */
function trim(map, most) {
  for (const key of map.keys()) {
    if (map.size <= most) return;
    map.delete(key);
  }
}
