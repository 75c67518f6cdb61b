# SPDX-License-Identifier: GPL-2.0
# For a kernel without the crates that a module in Rust is built on: they are made here, out of
# files of a newer kernel's source (see README), and become part of the module. rustc sees all of it
# when it makes the object, so that what is not used is left out.

glue := $(src)/static
made := $(obj)/static/made
linux := $(made)/linux
host := $(made)/host

sysroot := $(shell $(RUSTC) --print sysroot)
since = $(if $(filter 1,$(shell expr $(CONFIG_RUSTC_VERSION) '>=' $(1))),$(2))

# The built-in target where the kernel takes that, else one made as the kernel makes its own.
target := $(if $(CONFIG_ARM64),aarch64-unknown-none-softfloat,$(abspath $(made)/target.json))
config := $(made)/config
# By its full name, which changes with the kernel.
configured := $(abspath $(objtree))/include

# The kernel's flags, but that the crates are optimised as one, with the module. One without Rust
# has not decided on overflows: then they are found, as in those with Rust. Nor does it say how
# functions are made whose types it looks at before it calls them.
cfi-flags := $(if $(CONFIG_CFI)$(CONFIG_CFI_CLANG),-Zsanitizer=kcfi -Zsanitizer-cfi-normalize-integers -Zmerge-functions=disabled)
skip-flags := --edition=% --target=% -Clto=% -Cembed-bitcode=% @%
crate-flags = $(filter-out $(skip-flags),$(rust_flags)) @$(config) --target=$(target) \
	$(if $(CONFIG_RUST),,-Coverflow-checks=y $(cfi-flags)) -Cembed-bitcode=y -Zunstable-options --sysroot=/dev/null -L$(made) --emit=dep-info=$(depfile)
foreign := --cap-lints=allow

# crate: NAME, FLAGS, EDITION. The source is the first prerequisite.
crate = OBJTREE=$(abspath $(made)) RUST_MODFILE=$(modfile) $(RUSTC) $(crate-flags) --edition=$(or $(3),2021) \
	$(foreign) $(2) --crate-type rlib --crate-name $(1) --out-dir $(made) --emit=link=$@ $<

# What the crates are made of. Packages bring files that are older than what was made of others.
origins = $(shell command -v $(RUSTC)) $(sysroot)/lib/rustlib/src/rust/library/core/src/lib.rs \
	$(or $(wildcard $(addprefix $(RUST_SOURCE)/,$(shell sed 's/.*  //' $(glue)/files))),$(RUST_SOURCE))
filechk_origin = $(RUSTC) -vV; $(BINDGEN) --version; stat -Lc '%n %s %y' $(origins)
$(made)/origin: FORCE
	$(call filechk,origin)

# The kernel's source, of which what is needed is taken. What it is for is said in README.
quiet_cmd_take = TAKE    $(RUST_SOURCE)
      cmd_take = bash $(glue)/take $(RUST_SOURCE) $(abspath $(made))
$(made)/taken: $(glue)/take $(glue)/files $(wildcard $(glue)/kernel/*.rs) $(made)/origin FORCE
	$(call if_changed,take)

# Written anew only where it changed.
written = >$@.new; if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# Options of the kernel are those of its configuration; those about rustc are those of the rustc
# that is used. The suites need what is not taken.
quiet_cmd_config = GEN     $@
      cmd_config = { grep -vE 'RUSTC|CONFIG_KUNIT(=|$$)' $(configured)/generated/rustc_cfg; \
	printf '%s\n' --cfg=CONFIG_RUST '--cfg=CONFIG_RUST="y"' --cfg=maclearn_static; \
	awk -v version=$(CONFIG_RUSTC_VERSION) '$$1 == "config" { name = $$2 } \
		$$1 == "def_bool" && $$2 == "RUSTC_VERSION" && $$3 == ">=" && version >= $$4 \
		{ print "--cfg=CONFIG_" name; print "--cfg=CONFIG_" name "=\"y\"" }' $(linux)/init/Kconfig; } $(written)
$(config): $(made)/taken $(configured)/generated/rustc_cfg FORCE
	$(call if_changed,config)

quiet_cmd_target = GEN     $@
      cmd_target = $(RUSTC) --edition=2021 -o $(host)/generate_rust_target $(linux)/scripts/generate_rust_target.rs ; \
	{ grep -v RUSTC_VERSION= $(configured)/config/auto.conf; echo CONFIG_RUSTC_VERSION=$(CONFIG_RUSTC_VERSION); } | \
		$(host)/generate_rust_target $(written)
$(made)/target.json: $(made)/taken $(configured)/config/auto.conf FORCE
	$(call if_changed,target)

# What runs in the compiler, as the kernel's rust/Makefile makes it. Procedural macros: NAME, FLAGS.
host-flags := $(foreign) -L$(host) --cfg 'feature="proc-macro"'
library = $(RUSTC) $(host-flags) $(2) --crate-type rlib --crate-name $(1) --emit=link=$@ $<
macros = $(RUSTC) $(host-flags) $(2) --crate-type proc-macro --crate-name $(1) --emit=link=$@ \
	--extern proc_macro --extern proc_macro2 --extern quote --extern syn -Clinker=$(HOSTCC) $<
syn-features := clone-impls derive full parsing printing visit visit-mut

quiet_cmd_proc_macro2 = HOSTRUST $@
      cmd_proc_macro2 = $(call library,proc_macro2,--edition=2021 --cfg wrap_proc_macro \
	$(call since,108800,--cfg proc_macro_span_file --cfg proc_macro_span_location))
quiet_cmd_quote = HOSTRUST $@
      cmd_quote = $(call library,quote,--edition=2018 --extern proc_macro2)
quiet_cmd_syn = HOSTRUST $@
      cmd_syn = $(call library,syn,--edition=2021 --extern proc_macro2 --extern quote \
	$(foreach feature,$(syn-features),--cfg 'feature="$(feature)"'))
quiet_cmd_macros = HOSTRUST $@
      cmd_macros = $(call macros,macros,--edition=2021 @$(config))
quiet_cmd_pin_init_internal = HOSTRUST $@
      cmd_pin_init_internal = $(call macros,pin_init_internal,--edition=2021 --cfg kernel --cfg USE_RUSTC_FEATURES)

$(linux)/%: $(made)/taken ;

$(host)/libproc_macro2.rlib: $(linux)/rust/proc-macro2/lib.rs FORCE
	+$(call if_changed,proc_macro2)
$(host)/libquote.rlib: $(linux)/rust/quote/lib.rs $(host)/libproc_macro2.rlib FORCE
	+$(call if_changed,quote)
$(host)/libsyn.rlib: $(linux)/rust/syn/lib.rs $(host)/libquote.rlib FORCE
	+$(call if_changed,syn)
$(made)/libmacros.so: $(linux)/rust/macros/lib.rs $(host)/libsyn.rlib $(config) FORCE
	+$(call if_changed,macros)
$(made)/libpin_init_internal.so: $(linux)/rust/pin-init/internal/src/lib.rs $(host)/libsyn.rlib FORCE
	+$(call if_changed,pin_init_internal)

# The crates for the kernel.
quiet_cmd_core = RUSTC   $@
      cmd_core = $(call crate,core,--cfg no_fp_fmt_parse,$(call since,108700,2024))
quiet_cmd_compiler_builtins = RUSTC   $@
      cmd_compiler_builtins = $(call crate,compiler_builtins)
quiet_cmd_ffi = RUSTC   $@
      cmd_ffi = $(call crate,ffi)
quiet_cmd_build_error = RUSTC   $@
      cmd_build_error = $(call crate,build_error)
quiet_cmd_pin_init = RUSTC   $@
      cmd_pin_init = $(call crate,pin_init,--cfg kernel --cfg USE_RUSTC_FEATURES --extern pin_init_internal --extern macros)
quiet_cmd_bindings = RUSTC   $@
      cmd_bindings = $(call crate,bindings,--extern ffi --extern pin_init)
quiet_cmd_kernel = RUSTC   $@
      cmd_kernel = $(call crate,kernel,--extern ffi --extern pin_init --extern build_error --extern macros --extern bindings)

$(made)/libcore.rlib: $(sysroot)/lib/rustlib/src/rust/library/core/src/lib.rs $(config) \
		$(if $(CONFIG_ARM64),,$(made)/target.json) FORCE
	+$(call if_changed_dep,core)
$(made)/libcompiler_builtins.rlib: $(linux)/rust/compiler_builtins.rs $(made)/libcore.rlib FORCE
	+$(call if_changed_dep,compiler_builtins)
$(made)/libffi.rlib: $(linux)/rust/ffi.rs $(made)/libcompiler_builtins.rlib FORCE
	+$(call if_changed_dep,ffi)
$(made)/libbuild_error.rlib: $(linux)/rust/build_error.rs $(made)/libcompiler_builtins.rlib FORCE
	+$(call if_changed_dep,build_error)
$(made)/libpin_init.rlib: $(linux)/rust/pin-init/src/lib.rs $(made)/libcompiler_builtins.rlib \
		$(made)/libpin_init_internal.so $(made)/libmacros.so FORCE
	+$(call if_changed_dep,pin_init)
$(made)/libbindings.rlib: $(linux)/rust/bindings/lib.rs $(made)/libffi.rlib $(made)/libpin_init.rlib \
		$(made)/rust/bindings/bindings_generated.rs $(made)/rust/bindings/bindings_helpers_generated.rs FORCE
	+$(call if_changed_dep,bindings)
$(made)/libkernel.rlib: $(linux)/rust/kernel/lib.rs $(made)/libbindings.rlib $(made)/libbuild_error.rlib FORCE
	+$(call if_changed_dep,kernel)

# What of C the files that are taken use. bindgen: FLAGS, SCRIPT of sed.
glue-functions := compat_ptr_ioctl|snprintf|scnprintf|memchr|kstrtobool|lockdep_(un)?register_key|vmalloc_to_page|__free_pages|rcu_barrier|synchronize_rcu|mutex_unlock|errno_to_blk_status|rust_fmt_argument
glue-types := kernel_param(_ops)?|module|mutex|spinlock_t|refcount_t|lock_class_key|page|blk_status_t|gfp_t|atomic(64)?_t|bool_|s(8|16|32|64)
glue-constants := RUST_CONST_HELPER_.*|KERN_.*|MAX_ERRNO|PAGE_SHIFT|PAGE_MASK|MAX_NUMNODES|NUMA_NO_NODE|KMALLOC_MAX_SIZE|no_hash_pointers|__this_module|E[A-Z0-9_]+
glue-bindgen = $(BINDGEN) $< $(shell grep -vE '^\#|^$$|custom-enum|newtype-enum' $(linux)/rust/bindgen_parameters) \
	--rust-target 1.85 --formatter prettyplease --use-core --with-derive-default --ctypes-prefix ffi --no-layout-tests \
	--no-debug '.*' --enable-function-attribute-detection $(1) -o $@ -- $(bindgen-c-flags) -I$(linux)/rust -I$(glue) \
	-fno-builtin -Wno-missing-prototypes -D__BINDGEN__ -DMODULE ; sed -Ei $(2) $@
quiet_cmd_glue_bindings = BINDGEN $@
      cmd_glue_bindings = $(call glue-bindgen,--allowlist-function '$(glue-functions)' --allowlist-type '$(glue-types)' \
	--allowlist-var '$(glue-constants)','s/pub const RUST_CONST_HELPER_/pub const /g')
quiet_cmd_glue_helpers = BINDGEN $@
      cmd_glue_helpers = $(call glue-bindgen,--blocklist-type '.*' --allowlist-var '' \
	--allowlist-function 'rust_helper_.*','s/pub fn rust_helper_([a-zA-Z0-9_]*)/#[link_name="rust_helper_\1"]\n    pub fn \1/g')
$(made)/rust/bindings/bindings_generated.rs: $(glue)/bindings.h $(made)/taken FORCE
	$(call if_changed_dep,glue_bindings)
$(made)/rust/bindings/bindings_helpers_generated.rs: $(glue)/helpers.c $(glue)/bindings.h $(made)/taken FORCE
	$(call if_changed_dep,glue_helpers)

CFLAGS_static/helpers.o := -I$(linux)/rust -Wno-missing-prototypes -Wno-missing-declarations
$(obj)/static/helpers.o: $(made)/taken

# The module with all of them, which newer compilers make one of only as they link. What
# build_assert!() rules out calls a function that is not to be there.
module-features := arbitrary_self_types,asm_goto,generic_arg_infer,used_with_arg
quiet_cmd_module = RUSTC [M] $@
      cmd_module = OBJTREE=$(abspath $(made)) RUST_MODFILE=$(modfile) $(RUSTC) $(crate-flags) --edition=2021 -Clto=fat \
	-Zcrate-attr=no_std -Zcrate-attr='feature($(module-features))' --extern pin_init --extern kernel \
	--crate-type staticlib --crate-name $(basename $(notdir $@)) --out-dir $(made) \
	--emit=obj=$@,link=$(made)/libmaclearn.a $< ; \
	relocations=$$($(OBJDUMP) -r $@) ; case "$$relocations" in *rust_build_error*) \
	echo "$@: a build_assert!() does not hold"; rm $@; exit 1;; esac \
	$(cmd_objtool)
$(obj)/rust/maclearn.o: $(src)/rust/maclearn.rs $(bindings) $(made)/libkernel.rlib FORCE
	+$(call if_changed_dep,module)

maclearn-y += static/helpers.o
$(made)/%.rlib: part-of-module := y
crates := $(addprefix host/lib,proc_macro2.rlib quote.rlib syn.rlib) libmacros.so libpin_init_internal.so \
	$(foreach crate,core compiler_builtins ffi build_error pin_init bindings kernel,lib$(crate).rlib)
$(addprefix $(made)/,$(crates)): $(made)/taken
targets += $(addprefix static/made/,taken config target.json $(crates) \
	rust/bindings/bindings_generated.rs rust/bindings/bindings_helpers_generated.rs)
