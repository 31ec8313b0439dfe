//! Every shader against what Rust says of it, without a GPU: layout of the uniform blocks, bindings, validation, and translation
//! to what Vulkan, Metal and DX12 take.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use gatenorm::kernels::{ALL, Access, Blocks, Element, Field, KernelInfo, Options, StepScalars, Variant};
use naga::back::{hlsl, msl, spv};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, GlobalVariable, Module, ScalarKind, ShaderStage, StorageAccess, TypeInner};

/// WebGPU's default limits.
const MAX_STORAGE_BUFFERS: usize = 8;
const MAX_THREADS: u32 = 256;
/// What one dynamic uniform offset shows.
const UNIFORM_SLOT: usize = 256;
/// What the files begin with that belong to the variants of several kernels.
const SHARED: &str = "recurrence";
/// What spirv-val says of cooperative matrices where it does not know them, as of 2023.
const NEWER_CAPABILITY: &str = "Invalid capability operand: 6022";
/// Files that are appended to every kernel.
const COMMON: [&str; 4] = ["common.wgsl", "activation.wgsl", "lstm_cell.wgsl", "random.wgsl"];

fn parse(source: &str, variant: &Variant) -> Result<(Module, ModuleInfo), String> {
    let module = naga::front::wgsl::parse_str(source).map_err(|e| e.emit_to_string(source))?;
    let mut capabilities =
        if variant.subgroups { Capabilities::SUBGROUP | Capabilities::SUBGROUP_BARRIER } else { Capabilities::empty() };
    if variant.cooperative.is_some() {
        capabilities |= Capabilities::COOPERATIVE_MATRIX | Capabilities::SHADER_FLOAT16;
    }
    let mut validator = Validator::new(ValidationFlags::all(), capabilities);
    let info = validator.validate(&module).map_err(|e| e.emit_to_string(source))?;
    Ok((module, info))
}

fn global(module: &Module, group: u32, binding: u32) -> Result<&GlobalVariable, String> {
    let at = |g: &&GlobalVariable| g.binding.as_ref().is_some_and(|b| b.group == group && b.binding == binding);
    let found = module.global_variables.iter().map(|(_, g)| g).find(at);
    found.ok_or_else(|| format!("nothing at group {group} binding {binding}"))
}

/// A scalar type in WGSL's words.
fn scalar(inner: &TypeInner) -> String {
    match inner {
        TypeInner::Scalar(s) | TypeInner::Vector { scalar: s, .. } => match s.kind {
            ScalarKind::Float => format!("f{}", 8 * s.width),
            ScalarKind::Uint => format!("u{}", 8 * s.width),
            _ => format!("{s:?}"),
        },
        other => format!("{other:?}"),
    }
}

fn check_block(module: &Module, binding: u32, fields: &[Field], size: usize, blocks: Blocks) -> Result<(), String> {
    let block = global(module, 0, binding)?;
    let space = match blocks {
        Blocks::Uniform => AddressSpace::Uniform,
        Blocks::Storage => AddressSpace::Storage { access: StorageAccess::LOAD },
    };
    if block.space != space {
        return Err(format!("group 0 binding {binding} is in {:?}", block.space));
    }
    let TypeInner::Struct { members, span } = &module.types[block.ty].inner else {
        return Err(format!("group 0 binding {binding} is no struct"));
    };
    let describe = |name: &str, offset: usize, scalar: &str| format!("{name}: {scalar} at {offset}");
    let member = |m: &naga::StructMember| {
        describe(m.name.as_deref().unwrap_or("?"), m.offset as usize, &scalar(&module.types[m.ty].inner))
    };
    let shader: Vec<String> = members.iter().map(member).collect();
    let rust: Vec<String> = fields.iter().map(|f| describe(f.name, f.offset, f.scalar)).collect();
    if shader != rust {
        return Err(format!("group 0 binding {binding}: the shader has {shader:?}, Rust {rust:?}"));
    }
    match *span as usize == size && size <= UNIFORM_SLOT {
        true => Ok(()),
        false => Err(format!("group 0 binding {binding}: {span} bytes in the shader, {size} in Rust")),
    }
}

/// Every variable of group 1 shows one of the kernel's bindings, each of which is shown; `b4` may show `b` in vec4s.
fn check_storage(kernel: &KernelInfo, module: &Module) -> Result<(), String> {
    if kernel.bindings.len() > MAX_STORAGE_BUFFERS {
        return Err(format!("{} storage buffers", kernel.bindings.len()));
    }
    (0..kernel.bindings.len()).try_for_each(|number| global(module, 1, number as u32).map(drop))?;
    for (_, buffer) in module.global_variables.iter() {
        match &buffer.binding {
            Some(at) if at.group == 1 => check_binding(kernel, module, buffer, at.binding)?,
            _ => {}
        }
    }
    Ok(())
}

fn check_binding(kernel: &KernelInfo, module: &Module, buffer: &GlobalVariable, number: u32) -> Result<(), String> {
    let binding = kernel.bindings.get(number as usize).ok_or(format!("Rust has no binding {number}"))?;
    let access = match binding.access {
        Access::Read => StorageAccess::LOAD,
        Access::Write | Access::ReadWrite | Access::Scratch => StorageAccess::LOAD | StorageAccess::STORE,
    };
    let TypeInner::Array { base, size: naga::ArraySize::Dynamic, .. } = &module.types[buffer.ty].inner else {
        return Err(format!("`{}` is no array of any length", binding.name));
    };
    let shader = (buffer.name.as_deref(), buffer.space, scalar(&module.types[*base].inner));
    let element = if binding.element == Element::Real { "f32" } else { "u32" };
    let rust = (Some(binding.name), AddressSpace::Storage { access }, element.to_owned());
    let in_vec4s = (buffer.name.as_deref().and_then(|name| name.strip_suffix('4')), shader.1, shader.2.clone());
    match shader == rust || in_vec4s == rust {
        true => Ok(()),
        false => Err(format!("group 1 binding {number}: the shader has {shader:?}, Rust {rust:?}")),
    }
}

fn check_overrides(kernel: &KernelInfo, module: &Module) -> Result<(), String> {
    let shader: BTreeSet<&str> = module.overrides.iter().filter_map(|(_, o)| o.name.as_deref()).collect();
    let rust: BTreeSet<&str> = kernel.overrides.iter().map(|o| o.name).collect();
    if shader == rust { Ok(()) } else { Err(format!("the shader overrides {shader:?}, Rust {rust:?}")) }
}

fn reflect(kernel: &KernelInfo, variant: &Variant, source: &str, blocks: Blocks) -> Result<(), String> {
    let (module, _) = parse(source, variant)?;
    check_block(&module, 0, kernel.fields, kernel.size, blocks)?;
    let scalars = StepScalars::FIELDS.last().map_or(0, |f| f.offset + 4);
    check_block(&module, 1, StepScalars::FIELDS, scalars, Blocks::Uniform)?;
    check_storage(kernel, &module)?;
    check_overrides(kernel, &module)
}

/// An entry point in the forms that drivers take, as text where they are text.
fn translate(kernel: &KernelInfo, variant: &Variant, entry: &str, options: &Options) -> Result<Vec<u32>, String> {
    let (module, info) = parse(&kernel.source(variant, Blocks::Uniform), variant)?;
    let constants = options.0.iter().map(|&(name, value)| (name.to_owned(), f64::from(value))).collect();
    let wanted = Some((ShaderStage::Compute, entry));
    let (module, info) = naga::back::pipeline_constants::process_overrides(&module, &info, wanted, &constants)
        .map_err(|e| e.to_string())?;
    let [main] = &module.entry_points[..] else { return Err("not one entry point".into()) };
    let threads: u32 = main.workgroup_size.iter().product();
    if main.name != entry || threads == 0 || threads > MAX_THREADS {
        return Err(format!("entry point `{}` with {threads} threads", main.name));
    }
    for lang_version in [(2, 4), (3, 0)] {
        let to = msl::Options { lang_version, ..Default::default() };
        msl::write_string(&module, &info, &to, &msl::PipelineOptions::default()).map_err(|e| e.to_string())?;
    }
    // Subgroup operations came with shader model 6.
    let models = [hlsl::ShaderModel::V5_1, hlsl::ShaderModel::V6_2];
    // It has no cooperative matrices, and naga panics at them.
    let models = if variant.cooperative.is_some() { &[][..] } else { &models[usize::from(variant.subgroups)..] };
    for &shader_model in models {
        let to = hlsl::Options { shader_model, fake_missing_bindings: true, ..Default::default() };
        let pipeline = hlsl::PipelineOptions::default();
        let mut text = String::new();
        hlsl::Writer::new(&mut text, &to, &pipeline).write(&module, &info, None).map_err(|e| e.to_string())?;
    }
    let to = spv::Options { lang_version: (1, 3), fake_missing_bindings: true, ..Default::default() };
    spv::write_vec(&module, &info, &to, None).map_err(|e| e.to_string())
}

/// Khronos's own validator, where it is installed.
fn spirv_val(words: &[u32], path: &Path) -> Result<(), String> {
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    std::fs::write(path, bytes).map_err(|e| e.to_string())?;
    let output = Command::new("spirv-val").args(["--target-env", "vulkan1.1"]).arg(path).output();
    let output = output.map_err(|e| e.to_string())?;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.success() {
        true => Ok(()),
        false if error.contains(NEWER_CAPABILITY) => {
            println!("skipped spirv-val, which is older than cooperative matrices");
            Ok(())
        }
        false => Err(error),
    }
}

#[test]
fn layout_and_bindings_are_those_of_rust() {
    for kernel in ALL {
        for variant in kernel.variants.all {
            for blocks in [Blocks::Uniform, Blocks::Storage] {
                reflect(kernel, variant, &kernel.source(variant, blocks), blocks)
                    .unwrap_or_else(|e| panic!("{} {} {blocks:?}: {e}", kernel.name, variant.name));
            }
        }
    }
}

#[test]
fn every_combination_of_options_translates_for_every_backend() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let installed = Command::new("spirv-val").arg("--version").output().is_ok();
    if !installed {
        println!("skipped spirv-val, which is not installed (on Debian and Ubuntu: apt install spirv-tools)");
    }
    let mut count = 0;
    for kernel in ALL {
        let entries = kernel.variants.all.iter().flat_map(|v| v.entries.iter().map(move |&entry| (v, entry)));
        for ((variant, entry), options) in entries.flat_map(|e| kernel.all_options().into_iter().map(move |o| (e, o))) {
            let named = |e: String| -> ! { panic!("{} {} {entry} {options:?}: {e}", kernel.name, variant.name) };
            let words = translate(kernel, variant, entry, &options).unwrap_or_else(|e| named(e));
            if installed {
                spirv_val(&words, &folder.path().join("shader.spv")).unwrap_or_else(|e| named(e));
            }
            count += 1;
        }
    }
    assert!(count >= ALL.len());
}

#[test]
fn every_file_belongs_to_a_kernel() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let files: BTreeSet<String> = std::fs::read_dir(&folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a plain name"))
        .collect();
    let read = |file: &String| std::fs::read_to_string(folder.join(file)).expect("it can be read");
    let appended = |file: &&String| {
        let text = read(file);
        let own = |k: &KernelInfo| file.starts_with(&format!("{}_", k.name)) || file.starts_with(SHARED);
        ALL.iter().any(|k| own(k) && k.variants.all.iter().any(|v| v.wgsl.contains(&text)))
    };
    let variants = files.iter().filter(appended).cloned();
    let kernels = ALL.iter().map(|k| format!("{}.wgsl", k.name)).chain(variants);
    let expected: BTreeSet<String> = kernels.chain(COMMON.map(String::from)).collect();
    assert_eq!(files, expected);
    assert!(ALL.windows(2).all(|pair| pair[0].name < pair[1].name), "kernels are in alphabetical order, each once");
}

/// What is outside comments.
fn code(source: &str) -> String {
    source.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

fn forbidden(source: &str, variant: Option<&Variant>) -> Option<&'static str> {
    let code = code(source);
    let asked_for = variant.is_some_and(|variant| variant.cooperative.is_some());
    // The built-in tanh may be NaN or err by 1e-5; atomics would make sums depend on chance; extensions shut out devices, so that only
    // variants which people ask for use them.
    let extensions = ["enable", "requires"].into_iter().filter(|_| !asked_for);
    ["tanh(", "atomic"].into_iter().chain(extensions).find(|word| code.contains(word))
}

#[test]
fn no_shader_uses_what_drivers_get_wrong() {
    for kernel in ALL {
        for variant in kernel.variants.all {
            let found = forbidden(&kernel.source(variant, Blocks::Uniform), Some(variant));
            assert_eq!(found, None, "{} {}", kernel.name, variant.name);
        }
        assert!(kernel.wgsl.starts_with("// "), "{} begins with what it computes", kernel.name);
    }
    assert_eq!(forbidden("let y = tanh(x); // tanh_safe(", None), Some("tanh("));
    assert_eq!(forbidden("let y = tanh_safe(x); // not tanh(", None), None);
}

/// Replaces a text that must be there, and expects reflection to fail on the result.
fn must_fail(kernel: &str, from: &str, to: &str, expected: &str) {
    let kernel = ALL.iter().find(|k| k.name == kernel).expect("a kernel of this name");
    let source = kernel.source(&kernel.variants.all[0], Blocks::Uniform);
    assert!(source.contains(from), "`{from}` is in {}", kernel.name);
    let error = reflect(kernel, &kernel.variants.all[0], &source.replace(from, to), Blocks::Uniform)
        .expect_err("the change must be seen");
    assert!(error.contains(expected), "`{error}` tells of `{expected}`");
}

#[test]
fn a_changed_shader_is_seen() {
    must_fail("adam", "epsilon", "epsilom", "epsilom: f32 at 12");
    must_fail("adam", "p.epsilon", "p.epsilom", "invalid field accessor");
    must_fail("copy", "    x_at: u32,\n    out_at: u32,", "    out_at: u32,\n    x_at: u32,", "out_at: u32 at 4");
    must_fail("fill", "    at: u32,\n    value: f32,", "    value: f32,\n    at: u32,", "value: f32 at 4");
    must_fail("fill", "    value: f32,\n", "    value: f32, more: f32,\n", "more: f32 at 12");
    must_fail("fill", "    log_row: u32,\n", "    log_row: f32,\n", "group 0 binding 1");
    must_fail("copy", "var<storage, read> x", "var<storage, read_write> x", "group 1 binding 0");
    must_fail(
        "copy",
        "binding(0) var<storage, read> x",
        "binding(7) var<storage, read> x",
        "nothing at group 1 binding 0",
    );
    must_fail("copy", "var<storage, read> x: array<f32>", "var<storage, read> x: array<f32, 4>", "`x` is no array");
    must_fail("activate", "override ACTIVATION", "override OTHER: u32 = 0u; override ACTIVATION", "OTHER");
}
