import { loadLiteRt } from '@litertjs/core';
import {
  Bundle,
  type FileReader,
  httpFiles,
  Recommender,
  type RecommenderOptions,
} from '@pocketrec/runtime';
import { readFigures, type VariantFigures } from './figures';
import { metered } from './meter';

const METRICS_FILE = 'metrics.json';

/** Where the parts of the app are. */
export interface Places {
  /** URL of the bundle's folder. */
  readonly bundle: string;
  /** URL of the folder with LiteRT's WebAssembly. */
  readonly liteRt: string;
  /** Size of LiteRT's WebAssembly, bytes. */
  readonly liteRtBytes: number;
}

/** What is told while everything loads. */
export interface Listener {
  progress(loaded: number, total: number): void;
  /** Movies can be searched and chosen from here on; the model may still be loading. */
  catalogue(bundle: Bundle): void;
}

/** A bundle in memory, with one of its variants ready to run. */
export class Engine {
  private constructor(
    readonly bundle: Bundle,
    /** By variant; empty where the bundle tells none. */
    readonly figures: ReadonlyMap<string, VariantFigures>,
    /** The gated variant, loaded. */
    readonly first: Recommender,
    private readonly options: RecommenderOptions,
  ) {}

  /**
   * Loads the bundle, LiteRT and the variant that passed the gate.
   *
   * @throws DeviceError: see `Bundle.load` and `Recommender.create`.
   */
  static async load(places: Places, listener: Listener): Promise<Engine> {
    const meter = new Meter(places.liteRtBytes, listener);
    return metered(meter.count, async () => {
      // Side by side with the bundle; who asks for a recommender hears of what went wrong here.
      loadLiteRt(places.liteRt).catch(() => undefined);
      const bundle = await Bundle.load(inMemory(httpFiles(places.bundle)));
      meter.expect(sizeOf(bundle));
      listener.catalogue(bundle);
      const options = { wasmPath: places.liteRt };
      const [figures, first] = await Promise.all([
        figuresOf(bundle),
        Recommender.create(bundle, options),
      ]);
      return new Engine(bundle, figures, first, options);
    });
  }

  /** Reads what `load` left out, so that nothing has to be fetched later. */
  async loadOtherVariants(): Promise<void> {
    const { variants } = this.bundle.manifest;
    // A variant that cannot be read says so when it is chosen.
    await Promise.allSettled([...variants.values()].map((file) => this.bundle.read(file)));
  }

  /**
   * Opens another variant.
   *
   * @throws DeviceError: see `Recommender.create`.
   */
  open(variant: string): Promise<Recommender> {
    return Recommender.create(this.bundle, { ...this.options, variant });
  }
}

class Meter {
  private loaded = 0;

  constructor(
    private total: number,
    private readonly listener: Listener,
  ) {}

  readonly count = (bytes: number): void => {
    this.loaded += bytes;
    this.tell();
  };

  expect(bytes: number): void {
    this.total += bytes;
    this.tell();
  }

  private tell(): void {
    this.listener.progress(Math.min(this.loaded, this.total), this.total);
  }
}

/** Returns a reader that reads each file once. What failed may be tried again. */
function inMemory(read: FileReader): FileReader {
  const kept = new Map<string, ReturnType<FileReader>>();
  return (name) => {
    const known = kept.get(name);
    if (known) {
      return known;
    }
    const content = read(name);
    kept.set(name, content);
    content.catch(() => kept.delete(name));
    return content;
  };
}

function sizeOf(bundle: Bundle): number {
  const { catalogueFile, defaultVariant, files, variants, vocabularyFile } = bundle.manifest;
  const names = [catalogueFile, vocabularyFile, variants.get(defaultVariant) ?? '', METRICS_FILE];
  return names.reduce((sum, name) => sum + (files.get(name)?.bytes ?? 0), 0);
}

async function figuresOf(bundle: Bundle): Promise<ReadonlyMap<string, VariantFigures>> {
  if (!bundle.manifest.files.has(METRICS_FILE)) {
    return new Map();
  }
  const content = await bundle.read(METRICS_FILE);
  return readFigures(JSON.parse(new TextDecoder().decode(content)));
}
