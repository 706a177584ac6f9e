FROM node:24-bookworm-slim AS build
WORKDIR /layerd
COPY package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json vite.config.ts ./
COPY scripts scripts
COPY schemas schemas
COPY src src
COPY web web
COPY docs/layers docs/layers
RUN npm run build && npm prune --omit=dev

FROM node:24-bookworm-slim
WORKDIR /layerd
# Inside a container loopback reaches nobody.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080
COPY --from=build /layerd/package.json ./
COPY --from=build /layerd/node_modules node_modules
COPY --from=build /layerd/dist dist
USER node
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health/live`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# No npm in between: it would not pass SIGTERM on.
CMD ["node", "dist/service/server.js"]
