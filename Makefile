# make run           install the dependencies, build, and run on a camera or the footage: http://localhost:8080
# make test          install the dependencies and run all tests
# make bench         run the benchmarks
# make long          run the long tests (soak, fuzzing, many rounds)
# make cross         build for the Jetson Nano
# make emulate       run that build under emulation
# make package       build the Debian packages in target/deb
# make package-test  install, upgrade and purge the packages (needs root)
# make valgrind      run the unsafe code under valgrind, on every downloaded ONNX Runtime

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
