# One image holds all programs: /usr/local/bin/{ingest,projector,emitter,orderledger,receiver}.
# It has no ClickHouse engine, so `orderledger up` and `orderledger demo` do not run in it.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/ ./cmd/... ./examples/receiver

# Not a scratch image: purego, which the orderledger program links, loads the C library, and health checks run a shell.
FROM debian:bookworm-slim
# The slim image has no CA certificates; most endpoints are HTTPS.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
# The folders exist in the image so that a volume mounted on one belongs to the user that writes to it.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin orderledger \
 && install -d -o orderledger -g orderledger -m 0750 /var/lib/orderledger /var/lib/orderledger-documents
ENV ORDERLEDGER_DATA=/var/lib/orderledger
WORKDIR /var/lib/orderledger
USER 10001
COPY --from=build /out/ /usr/local/bin/
CMD ["ingest"]
