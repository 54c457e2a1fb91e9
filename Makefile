# make run   set everything up and watch people walk through the default footage: http://localhost:8080
# make test  set everything up and run all tests
# make bench the benchmarks; make long: the long runs (soak, fuzz, many rounds)
# make cross     the program for the Jetson Nano; make emulate: try it under emulation
# make package   the Debian packages in target/deb; make package-test: install, upgrade and purge them (needs root)
# make valgrind   the unsafe code under valgrind, on every fetched ONNX Runtime

MODEL := .sightd/models/ssdlite-mobilenet-v2.onnx

.PHONY: run test bench long build cross emulate package package-test valgrind
run: build
	@exec target/release/sightd run $(ARGS)

build:
	@scripts/setup.sh run
	@cargo build --release --locked --quiet --bin sightd
	@$(MAKE) --no-print-directory $(MODEL)

$(MODEL):
	@mkdir -p $(@D)
	@target/release/sightd model import .sightd/weights/coco-ssd/model.json -o $@

test:
	@scripts/setup.sh test
	@scripts/test.sh

bench:
	@scripts/setup.sh test
	@cargo bench --locked

long:
	@scripts/setup.sh test
	@scripts/long.sh

valgrind:
	@scripts/setup.sh test
	@scripts/valgrind.sh

cross:
	@scripts/cross.sh

emulate:
	@scripts/setup.sh test
	@scripts/cross.sh
	@scripts/emulate.sh

package: build
	@scripts/package.sh amd64
	@scripts/package.sh arm64

package-test: build
	@scripts/package-test.sh
