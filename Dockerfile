# The gateway as an image: docker build -t node-ai-gateway .
#
# dist/ is one bundle that needs no node_modules, and holds no native code: the build stage runs on the builder's
# own platform, and the last stage runs nothing, so that an image for another platform needs no emulation.

ARG NODE_IMAGE=node:24-bookworm-slim

FROM --platform=${BUILDPLATFORM} ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
# esbuild finds its binary in its package for the platform; its install script only makes the start faster.
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --no-audit --no-fund
COPY scripts/build.mjs scripts/sbom.mjs ./scripts/
COPY src ./src
# Source maps are for debugging at a desk. Scanners see no packages in a bundle, but read the list of them.
RUN npm run --silent build && find dist -name '*.map' -delete \
  && npm run --silent sbom -- sbom.cdx.json && mkdir data

FROM ${NODE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="node-ai-gateway" \
      org.opencontainers.image.description="An OpenAI-compatible gateway in front of Ollama, vLLM and OpenAI" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

WORKDIR /app
# Everything belongs to root and nothing needs to be written: the root file system may be read-only.
COPY package.json openapi.yaml LICENSE ./
COPY deploy/healthcheck.mjs ./
COPY --from=build /build/sbom.cdx.json ./
COPY --from=build /build/dist ./dist
# The one folder for what is to outlive the container: the usage of keys. Mount a volume there to keep it.
COPY --from=build --chown=65532:65532 /build/data /data

# HOST is left to the program: with a key it listens everywhere, without one on the container's own loopback only,
# and refuses any other address. Set AUTH_KEY, or HOST=0.0.0.0 with ALLOW_ANONYMOUS=true if that is meant.
ENV NODE_ENV=production \
    USAGE_DIR=/data
EXPOSE 3000
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["node", "/app/healthcheck.mjs"]
# No shell and no npm in between: signals reach the program, which drains.
ENTRYPOINT []
CMD ["node", "dist/main.js"]
