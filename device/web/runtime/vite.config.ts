import { defineConfig } from 'vite';

export default defineConfig({
  build: {
    lib: { entry: 'src/index.ts', formats: ['es'], fileName: 'runtime' },
    target: 'es2022',
    sourcemap: true,
  },
});
