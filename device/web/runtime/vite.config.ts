import { defineConfig } from 'vite';
import { litertFiles } from './vite-plugin.ts';

export default defineConfig({
  plugins: [litertFiles()],
  build: {
    lib: { entry: 'src/index.ts', formats: ['es'], fileName: 'runtime' },
    target: 'es2022',
    sourcemap: true,
  },
});
