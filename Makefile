# SPDX-License-Identifier: GPL-2.0
# Kbuild says how the module is made; this says what to make. `make help` lists the targets.

# That of module, command and packages.
MACLEARN_VERSION ?= $(shell sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)

KDIR ?= /lib/modules/$(shell uname -r)/build
OUTPUT := $(CURDIR)/build

# Where the crates that a module in Rust is built on come from: `kernel`, the kernel's own, where
# KDIR has what is needed of them, or `static`, part of the module, made out of files of
# RUST_SOURCE.
has-rust := $(and $(wildcard $(KDIR)/rust/libkernel.rmeta),$(shell grep -s '^CONFIG_RUST=y' $(KDIR)/include/config/auto.conf))
MACLEARN_RUST := $(if $(has-rust),kernel,static)
fetched := $(OUTPUT)/linux-source-7.3.tar.xz
RUST_SOURCE := $(firstword $(wildcard /usr/src/linux-source-7.3 /usr/src/linux-source-7.3.tar.xz) $(fetched))
# Kernels before 6.13 leave objects beside the source, which is a folder of links then. The flags
# that kernels have for rustc go by its version, which a kernel without Rust does not know.
RUSTC ?= rustc
rustc-version = $(shell $(RUSTC) --version | awk '{ split($$2, n, /[.-]/); print n[1] * 100000 + n[2] * 100 + n[3] }')
static-arguments = M=$(OUTPUT) MACLEARN_RUST=static RUST_SOURCE=$(abspath $(RUST_SOURCE)) CONFIG_RUSTC_VERSION=$(rustc-version)
# What clang made takes modules that clang makes.
is-clang = $(shell grep -s '^CONFIG_CC_IS_CLANG=y' $(KDIR)/include/config/auto.conf)
clang = $(if $(LLVM)$(filter-out default,$(origin CC)),,$(if $(is-clang),LLVM=1))
where = $(if $(filter static,$(MACLEARN_RUST)),$(static-arguments),M=$(CURDIR) MO=$(OUTPUT)) MACLEARN_VERSION=$(MACLEARN_VERSION) $(clang)

ifneq ($(words $(CURDIR) $(OUTPUT)),2)
$(error nothing can be built in a folder whose name has blanks)
endif

MAKEFLAGS += --no-print-directory

.PHONY: module install install-module install-command uninstall command clean root kernels vm-module uml-module debug-module \
	version deb demo check check-quick check-debug check-kernels check-variants check-packages check-system check-oracle upstream check-upstream bench bench-quick recordings help

module: $(MACLEARN_RUST)-module ## build maclearn.ko for KDIR (default: the running kernel) in build/

# A distribution's kernel has no key here to sign with, and no System.map that its own depmod.sh
# would want.
signing = $(if $(wildcard $(KDIR)/certs/signing_key.x509),,CONFIG_MODULE_SIG_ALL=)

# Where what belongs to a package would go, below DESTDIR. The module goes where modprobe of its
# kernel looks.
PREFIX ?= /usr/local
release = $(shell $(MAKE) -s -C $(KDIR) kernelrelease)
module-root = $(or $(INSTALL_MOD_PATH),$(DESTDIR))
depmod = PATH="$$PATH:/usr/sbin:/sbin" depmod $(if $(module-root),-b $(module-root)) "$(release)"

install: install-module install-command ## install module, command, manual, completion, services, /etc/maclearn.toml, below DESTDIR

install-module: module ## install it for that kernel, so that modprobe finds it
	$(MAKE) -C $(KDIR) $(where) modules_install cmd_depmod=: $(signing) $(if $(module-root),INSTALL_MOD_PATH=$(module-root))
	$(depmod)

tool := $(OUTPUT)/cargo/release/maclearn
.PHONY: tool
tool:
	cargo build --release --locked --manifest-path tools/Cargo.toml --target-dir $(OUTPUT)/cargo

version: ## print the version of all that is built
	@echo $(MACLEARN_VERSION)

units := tools/systemd/maclearn.service monitoring/maclearn-metrics.service monitoring/maclearn-metrics.timer
command-files = $(addprefix $(DESTDIR)$(PREFIX)/,sbin/maclearn share/man/man8/maclearn.8 \
	share/bash-completion/completions/maclearn $(addprefix lib/systemd/system/,$(notdir $(units))))

install-command: tool ## the same without the module; cargo fetches the crates of the command
	install -D $(tool) $(DESTDIR)$(PREFIX)/sbin/maclearn
	$(tool) manual >$(OUTPUT)/maclearn.8
	install -D -m 644 $(OUTPUT)/maclearn.8 $(DESTDIR)$(PREFIX)/share/man/man8/maclearn.8
	$(tool) completion >$(OUTPUT)/maclearn.bash
	install -D -m 644 $(OUTPUT)/maclearn.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/maclearn
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system $(units)
	sed -i 's,/usr/sbin/maclearn,$(PREFIX)/sbin/maclearn,' $(DESTDIR)$(PREFIX)/lib/systemd/system/maclearn.service
	[ -e $(DESTDIR)/etc/maclearn.toml ] || install -D -m 644 -t $(DESTDIR)/etc tools/systemd/maclearn.toml

# Where nothing runs of what is below DESTDIR, or no systemd runs, there is nothing to stop.
own-units = $(if $(DESTDIR),,$(wildcard /run/systemd/system/. $(PREFIX)/lib/systemd/system/maclearn.service))

# What the timer has written there
metrics = /var/lib/prometheus/node-exporter/maclearn.prom

uninstall: ## remove what install has put there, but for /etc/maclearn.toml if something was written there
	@[ "$(release)" ] || { echo "uninstall: $(KDIR) names no kernel: say KDIR=HEADERS or release=RELEASE" >&2; exit 1; }
	-$(if $(filter 2,$(words $(own-units))),systemctl disable --now maclearn.service maclearn-metrics.timer)
	rm -f $(module-root)/lib/modules/$(release)/updates/maclearn.ko*
	[ ! -e $(module-root)/lib/modules/$(release)/modules.order ] || $(depmod)
	rm -f $(command-files)
	$(if $(DESTDIR),,! grep -qs '^maclearn_loaded ' $(metrics) || rm $(metrics))
	-$(if $(filter 2,$(words $(own-units))),systemctl daemon-reload)
	! cmp -s tools/systemd/maclearn.toml $(DESTDIR)/etc/maclearn.toml || rm $(DESTDIR)/etc/maclearn.toml

command: root ## build the command maclearn in the root, and print where it is
	@scripts/command

.PHONY: kernel-module static-module way
kernel-module: way
	$(MAKE) -C $(KDIR) $(where) modules

static-module: way $(RUST_SOURCE)
	@mkdir -p $(OUTPUT)
	@cp -rsf $(CURDIR)/Kbuild $(CURDIR)/include $(CURDIR)/rust \
		$(CURDIR)/scripts $(CURDIR)/static $(OUTPUT)/
	@cd $(OUTPUT) && find include rust scripts static -xtype l -delete
	$(MAKE) -C $(KDIR) $(where) modules

$(fetched): | way
	@static/fetch $@

way:
	@scripts/way $(MACLEARN_RUST) $(KDIR) $(RUST_SOURCE)

clean: ## remove what was built here (the cache stays)
	rm -rf $(OUTPUT)

root: ## make the build root: Debian 13 with a stock kernel and all tools
	@scripts/root

kernels: root ## build the UML kernels for the tests
	@scripts/uml uml
	@scripts/uml debug

vm-module: root ## build maclearn.ko for the stock kernel in the root, and print where it is
	@scripts/module stock

uml-module: root ## the same for the UML kernel
	@scripts/uml uml
	@scripts/module uml

debug-module: root ## the same for the UML debug kernel
	@scripts/uml debug
	@scripts/module debug

demo: ## show the main job on a stock kernel
	@scripts/demo

check: ## all tests
	@scripts/check

check-quick: ## the tests that need neither QEMU nor the debug kernel
	@scripts/check quick

check-debug: ## KUnit and functional scripts in the UML debug kernel
	@scripts/check debug

check-kernels: ## the functional scripts on other stock kernels, or on KERNELS, such as 7.3-rt-amd64
	@scripts/check kernels $(KERNELS)

check-variants: ## the main functional scripts on kernels that are configured as others than Debian do
	@scripts/check variants

deb: root ## build the Debian packages, for KERNELS or Debian's own and the stock kernel, and print the folder
	@scripts/deb $(KERNELS)

check-packages: root ## the packages in clean systems: without a compiler, DKMS, make install
	@scripts/packages

check-system: root ## the packages and the drop-ins in Debian systems that have booted, in QEMU
	@scripts/system

check-oracle: ## random sequences beside the model of what is promised, on a stock kernel
	@scripts/check oracle

upstream: root ## make patches for the kernel from rust/kapi, and print the folder
	@scripts/upstream

check-upstream: root ## the kernel with these patches: build, rustdoc, clippy, KUnit, examples, samples
	@scripts/uml uml
	@scripts/upstream check

bench: ## count instructions a frame, beside other ways to do the same, on a stock kernel
	@scripts/bench

bench-quick: ## the same with few ports and MACs
	@scripts/bench quick

recordings: root ## make the pictures of the command and of the dashboard that the documents show
	@scripts/uml uml
	@scripts/recordings

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 17
