import {
  type CompiledModel,
  getGlobalLiteRtPromise,
  loadAndCompile,
  loadLiteRt,
  type SignatureRunner,
  Tensor,
  type TensorDetails,
} from '@litertjs/core';
import type { Inputs } from './encode';
import { BundleError, reason, show, WasmError } from './errors';
import { keepsState, withBatchOfOne } from './flatbuffer';
import { HISTORY_INPUT, IDS_OUTPUT, type Manifest, SCORES_OUTPUT, SIGNATURE } from './manifest';
import type { Ranking } from './ranking';

interface Promised {
  readonly dtype: string;
  readonly width: number;
}

/**
 * A bundle's model, compiled by LiteRT for one thread of the CPU.
 *
 * LiteRT's memory is not the browser's: nobody frees it but `delete`.
 */
export class Model {
  private constructor(
    private readonly compiled: CompiledModel,
    private readonly signature: SignatureRunner,
    private readonly name: string,
  ) {}

  /**
   * Loads LiteRT, where that has not happened yet, and compiles a model.
   *
   * @param content The `.tflite` file.
   * @param manifest What the model must be.
   * @param name What to call it in errors.
   * @param wasmPath URL of the folder with LiteRT's wasm files.
   * @throws WasmError: LiteRT cannot be loaded.
   * @throws BundleError: LiteRT cannot open the model, or its tensors are not the manifest's.
   */
  static async open(
    content: Uint8Array,
    manifest: Manifest,
    name: string,
    wasmPath: string,
  ): Promise<Model> {
    await loadOnce(wasmPath);
    const compiled = await compile(content, name);
    try {
      const signature = compiled.signatures[SIGNATURE];
      if (signature === undefined) {
        throw new BundleError(
          `${name} has the signatures ${show(Object.keys(compiled.signatures))}, must have ` +
            show(SIGNATURE),
        );
      }
      checkTensors(signature, manifest, name);
      return new Model(compiled, signature, name);
    } catch (error) {
      compiled.delete();
      throw error;
    }
  }

  /**
   * Runs the model on one history.
   *
   * @throws BundleError: LiteRT cannot run the model.
   */
  async run(inputs: Inputs): Promise<Ranking> {
    const tensors: Tensor[] = [];
    const keep = (tensor: Tensor): Tensor => {
      tensors.push(tensor);
      return tensor;
    };
    try {
      const given: Record<string, Tensor> = {};
      for (const [name, values] of inputs) {
        given[name] = keep(new Tensor(values, [1, values.length]));
      }
      const start = performance.now();
      const outputs = await this.signature.run(given);
      const milliseconds = performance.now() - start;
      const ids = keep(outputs[IDS_OUTPUT] as Tensor);
      const scores = keep(outputs[SCORES_OUTPUT] as Tensor);
      return {
        ids: ids.toTypedArray() as Int32Array,
        scores: scores.toTypedArray() as Float32Array,
        milliseconds,
      };
    } catch (error) {
      throw new BundleError(`${this.name} cannot be run (${reason(error)})`);
    } finally {
      for (const tensor of tensors) {
        tensor.delete();
      }
    }
  }

  /** Gives the model's memory back. */
  delete(): void {
    this.compiled.delete();
  }
}

async function loadOnce(wasmPath: string): Promise<void> {
  try {
    await (getGlobalLiteRtPromise() ?? loadLiteRt(wasmPath));
  } catch (error) {
    throw new WasmError(
      `LiteRT cannot be loaded from ${show(wasmPath)} (${reason(error)}); serve the files there ` +
        'that its package has in the folder wasm',
    );
  }
}

async function compile(content: Uint8Array, name: string): Promise<CompiledModel> {
  try {
    if (keepsState(content)) {
      throw new Error(
        "it keeps state between runs, as LiteRT's fused LSTM does, which LiteRT.js does not support",
      );
    }
    return await loadAndCompile(withBatchOfOne(content), {
      accelerator: 'wasm',
      cpuOptions: { numThreads: 1 },
    });
  } catch (error) {
    throw new BundleError(
      `${name} cannot be opened (${reason(error)}); use a variant or a model that LiteRT.js can run`,
    );
  }
}

function checkTensors(signature: SignatureRunner, manifest: Manifest, name: string): void {
  const { historyLength, furtherInputs, topK } = manifest;
  const inputs = new Map<string, Promised>([
    [HISTORY_INPUT, { dtype: 'int32', width: historyLength }],
    ...furtherInputs,
  ]);
  const outputs = new Map<string, Promised>([
    [IDS_OUTPUT, { dtype: 'int32', width: topK }],
    [SCORES_OUTPUT, { dtype: 'float32', width: topK }],
  ]);
  checkDetails(signature.getInputDetails(), inputs, name);
  checkDetails(signature.getOutputDetails(), outputs, name);
}

function checkDetails(
  found: readonly TensorDetails[],
  promised: ReadonlyMap<string, Promised>,
  name: string,
): void {
  const names = found.map((tensor) => tensor.name).sort();
  const wanted = [...promised.keys()].sort();
  if (names.join() !== wanted.join()) {
    throw new BundleError(
      `${name} has tensors ${show(names)}, the manifest promises ${show(wanted)}`,
    );
  }
  for (const tensor of found) {
    const { dtype, width } = promised.get(tensor.name) as Promised;
    const shape = [...tensor.shape];
    if (tensor.dtype !== dtype) {
      throw new BundleError(`${name}: ${tensor.name} is ${tensor.dtype}, must be ${dtype}`);
    }
    if (shape.length !== 2 || shape[0] !== 1 || shape[1] !== width) {
      throw new BundleError(
        `${name}: ${tensor.name} has shape ${show(shape)} for one history, the manifest promises ` +
          show([1, width]),
      );
    }
  }
}
