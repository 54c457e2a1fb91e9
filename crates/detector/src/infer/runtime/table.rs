//! One table of functions for every ONNX Runtime from 1.10 on.
//!
//! `ort` wants the C API of version 17 ([`sys::OrtApi`], 276 entries). That table only ever grows at its end, so the
//! table of an older runtime is a prefix of it: the runtime's own entries come first, and behind them stand stubs
//! which answer "not implemented" the way the runtime itself would. Entries that return no status have no way to
//! say so; the two that `ort` calls are computed here.

use ort::sys::{self, OrtApi, OrtErrorCode, OrtStatusPtr};
use std::{
    ffi::{CStr, c_char},
    mem::size_of,
    ptr,
};

const _: () = assert!(sys::ORT_API_VERSION == 17, "a later ort/api-* feature is on: extend ENTRIES and the stubs");
const _: () = assert!(size_of::<OrtApi>() == ENTRIES[ENTRIES.len() - 1].1 * size_of::<*const ()>());
const _: () = assert!(size_of::<fn()>() == size_of::<*const ()>());

/// How many entries the table of an API version has: `(version, entries)`. Fixed for ever by the static assertions
/// in ONNX Runtime's `onnxruntime_c_api.cc`.
const ENTRIES: [(u32, usize); 8] =
    [(10, 204), (11, 210), (12, 219), (13, 225), (14, 239), (15, 255), (16, 266), (17, 276)];

/// The oldest API version that works.
pub(super) const OLDEST_API: u32 = ENTRIES[0].0;
/// The version `ort` is compiled for; a newer runtime is asked for this one.
pub(super) const NEWEST_API: u32 = ENTRIES[ENTRIES.len() - 1].0;

/// The table for a runtime which has API version `api`.
///
/// # Safety
/// `runtime` must be what `GetApi(api)` of a runtime that stays loaded for ever gave, not null; `api` must lie in
/// [`OLDEST_API`]..=[`NEWEST_API`].
pub(super) unsafe fn complete(runtime: *const OrtApi, api: u32) -> OrtApi {
    let mut table = sys::stub::api();
    fill_stubs(&mut table);
    table.MemoryInfoGetDeviceType = memory_info_get_device_type;
    table.GetBuildInfoString = get_build_info_string;
    table.UpdateEnvWithCustomLogLevel = update_env_with_custom_log_level;
    let entries = ENTRIES.iter().find(|(version, _)| *version == api).map_or(0, |(_, entries)| *entries);
    // SAFETY: both tables consist of function pointers only (asserted above for ours, by the C header for the
    // runtime's), the runtime's has `entries` of them in the same order and with the same signatures, ours has at
    // least as many, and the two do not overlap.
    unsafe { ptr::copy_nonoverlapping(runtime.cast::<*const ()>(), (&raw mut table).cast::<*const ()>(), entries) };
    table
}

/// An error status made by the runtime itself, since the runtime will read and free it.
#[cold]
fn not_implemented(function: &'static CStr) -> OrtStatusPtr {
    // SAFETY: a stub is only reachable through the table given to `ort::set_api`, whose CreateStatus is the runtime's
    // own (entry 0); the message is a null-terminated string, which the runtime copies.
    unsafe { (ort::api().CreateStatus)(OrtErrorCode::ORT_NOT_IMPLEMENTED, function.as_ptr()) }
}

/// A function type of the table that returns a status, and the stub for it.
trait Stub {
    /// A function of exactly this type that answers [`not_implemented`] with `N`'s text.
    fn stub<N: Message>() -> Self;
}

/// What a stub says.
trait Message {
    const TEXT: &'static CStr;
}

macro_rules! impl_stub {
    ($($($argument:ident)*;)*) => { $(
        impl<$($argument),*> Stub for unsafe extern "system" fn($($argument),*) -> OrtStatusPtr {
            fn stub<N: Message>() -> Self {
                unsafe extern "system" fn answer<N: Message, $($argument),*>($(_: $argument),*) -> OrtStatusPtr {
                    not_implemented(N::TEXT)
                }
                answer::<N, $($argument),*>
            }
        }
    )* };
}

impl_stub! {
    A; A B; A B C; A B C D; A B C D E; A B C D E F; A B C D E F G; A B C D E F G H; A B C D E F G H I;
    A B C D E F G H I J; A B C D E F G H I J K L;
}

/// Writes a stub into each named entry; the compiler refuses an entry that returns no status.
macro_rules! stubs {
    ($($function:ident)*) => {
        fn fill_stubs(table: &mut OrtApi) {
            $({
                struct Name;
                impl Message for Name {
                    const TEXT: &'static CStr = match CStr::from_bytes_with_nul(
                        concat!(stringify!($function), " is not in this version of ONNX Runtime\0").as_bytes(),
                    ) {
                        Ok(text) => text,
                        Err(_) => unreachable!(),
                    };
                }
                table.$function = Stub::stub::<Name>();
            })*
        }

        /// Places of the stubbed entries in the table.
        #[cfg(test)]
        const STUBBED: &[usize] = &[$(std::mem::offset_of!(OrtApi, $function) / size_of::<*const ()>()),*];
    };
}

// Every entry of API 11..=17 that returns a status.
stubs! {
    SessionOptionsAppendExecutionProvider_CUDA_V2 CreateCUDAProviderOptions UpdateCUDAProviderOptions
    GetCUDAProviderOptionsAsString SessionOptionsAppendExecutionProvider_MIGraphX
    AddExternalInitializers CreateOpAttr CreateOp InvokeOp SessionOptionsAppendExecutionProvider CopyKernelInfo
    SessionOptionsAppendExecutionProvider_CANN CreateCANNProviderOptions UpdateCANNProviderOptions
    GetCANNProviderOptionsAsString
    UpdateEnvWithCustomLogLevel SetGlobalIntraOpThreadAffinity RegisterCustomOpsLibrary_V2
    RegisterCustomOpsUsingFunction KernelInfo_GetInputCount KernelInfo_GetOutputCount KernelInfo_GetInputName
    KernelInfo_GetOutputName KernelInfo_GetInputTypeInfo KernelInfo_GetOutputTypeInfo KernelInfoGetAttribute_tensor
    HasSessionConfigEntry GetSessionConfigEntry
    SessionOptionsAppendExecutionProvider_Dnnl CreateDnnlProviderOptions UpdateDnnlProviderOptions
    GetDnnlProviderOptionsAsString KernelInfo_GetNodeName KernelInfo_GetLogger KernelContext_GetLogger
    Logger_LogMessage Logger_GetLoggingSeverityLevel KernelInfoGetConstantInput_tensor CastTypeInfoToOptionalTypeInfo
    GetOptionalContainedTypeInfo GetResizedStringTensorElementBuffer KernelContext_GetAllocator
    CreateROCMProviderOptions UpdateROCMProviderOptions GetROCMProviderOptionsAsString CreateAndRegisterAllocatorV2
    RunAsync UpdateTensorRTProviderOptionsWithValue GetTensorRTProviderOptionsByName
    UpdateCUDAProviderOptionsWithValue GetCUDAProviderOptionsByName KernelContext_GetResource
    SetUserLoggingFunction ShapeInferContext_GetInputCount ShapeInferContext_GetInputTypeShape
    ShapeInferContext_GetAttribute ShapeInferContext_SetOutputTypeShape SetSymbolicDimensions ReadOpAttr
    SetDeterministicCompute KernelContext_ParallelFor SessionOptionsAppendExecutionProvider_OpenVINO_V2
}

/// API 15; `ort::info()` reads it.
unsafe extern "system" fn get_build_info_string() -> *const c_char {
    c"ONNX Runtime before 1.15, which has no build information".as_ptr()
}

/// API 14; `ort` takes it for infallible. Without it the environment keeps the level it was made with, and the log
/// callback drops what nobody wants.
unsafe extern "system" fn update_env_with_custom_log_level(
    _: *mut sys::OrtEnv,
    _: sys::OrtLoggingLevel,
) -> OrtStatusPtr {
    OrtStatusPtr::default()
}

/// API 14; `ort` asks it of every tensor it reads. The device follows from the allocator's name, which older
/// runtimes know: pinned host memory counts as the CPU's, as it did there.
unsafe extern "system" fn memory_info_get_device_type(
    info: *const sys::OrtMemoryInfo,
    out: *mut sys::OrtMemoryInfoDeviceType,
) {
    let mut name = ptr::null();
    // SAFETY: the caller (`ort`) gives a valid OrtMemoryInfo; MemoryInfoGetName is an entry of API 10 and so the
    // runtime's own; it stores a pointer to a string that lives as long as `info`.
    let status = unsafe { (ort::api().MemoryInfoGetName)(info, &raw mut name) };
    let on_cpu = if status.0.is_null() && !name.is_null() {
        // SAFETY: the call succeeded, so `name` points to a null-terminated string.
        matches!(unsafe { CStr::from_ptr(name) }.to_bytes(), b"Cpu" | b"CudaPinned")
    } else {
        // SAFETY: the status came from the runtime and is freed once; ReleaseStatus takes null as well.
        unsafe { (ort::api().ReleaseStatus)(status.0) };
        false
    };
    let device = if on_cpu {
        sys::OrtMemoryInfoDeviceType::OrtMemoryInfoDeviceType_CPU
    } else {
        sys::OrtMemoryInfoDeviceType::OrtMemoryInfoDeviceType_GPU
    };
    // SAFETY: the caller gives a valid place for the answer.
    unsafe { *out = device };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, mem::offset_of};

    /// The entries of API 11..=17 that return no status.
    const WITHOUT_STATUS: [usize; 10] = [
        offset_of!(OrtApi, ReleaseCUDAProviderOptions),
        offset_of!(OrtApi, ReleaseOpAttr),
        offset_of!(OrtApi, ReleaseOp),
        offset_of!(OrtApi, ReleaseKernelInfo),
        offset_of!(OrtApi, GetTrainingApi),
        offset_of!(OrtApi, ReleaseCANNProviderOptions),
        offset_of!(OrtApi, MemoryInfoGetDeviceType),
        offset_of!(OrtApi, ReleaseDnnlProviderOptions),
        offset_of!(OrtApi, GetBuildInfoString),
        offset_of!(OrtApi, ReleaseROCMProviderOptions),
    ];

    #[test]
    fn every_entry_after_api_10_is_a_stub_or_has_no_status() {
        assert_eq!(STUBBED.len(), 62);
        let stubbed: BTreeSet<usize> = STUBBED.iter().copied().collect();
        let without: BTreeSet<usize> = WITHOUT_STATUS.iter().map(|offset| offset / size_of::<*const ()>()).collect();
        assert!(stubbed.is_disjoint(&without));
        let all: BTreeSet<usize> = stubbed.union(&without).copied().collect();
        assert_eq!(all, (ENTRIES[0].1..ENTRIES[7].1).collect());
    }

    #[test]
    fn the_runtimes_entries_stand_in_front_of_the_stubs() {
        let runtime = sys::stub::api();
        for (api, entries) in ENTRIES {
            // SAFETY: ort-sys' own table stands for a runtime's; it has all entries and lives to the end of the test.
            let table = unsafe { complete(&raw const runtime, api) };
            let places = |table: &OrtApi| -> Vec<*const ()> {
                // SAFETY: an OrtApi is ENTRIES[7].1 function pointers and nothing else.
                unsafe { std::slice::from_raw_parts(ptr::from_ref(table).cast::<*const ()>(), ENTRIES[7].1) }.to_vec()
            };
            let (ours, theirs) = (places(&table), places(&runtime));
            assert_eq!(ours[..entries], theirs[..entries], "API {api}");
            for &stub in STUBBED.iter().filter(|place| **place >= entries) {
                assert_ne!(ours[stub], theirs[stub], "API {api}, entry {stub}");
            }
        }
    }
}
