export { Bundle, type Movie } from './bundle';
export type { Inputs } from './encode';
export { BundleError, DeviceError, HistoryError, TitleError, WasmError } from './errors';
export { type FileReader, httpFiles } from './files';
export { type FileEntry, type Manifest, parseManifest, type TensorSpec } from './manifest';
export type { Ranking } from './ranking';
export {
  type Answer,
  type Recommendation,
  Recommender,
  type RecommenderOptions,
  type Request,
} from './recommender';
export { TitleSearch } from './search';
export type { User } from './users';
