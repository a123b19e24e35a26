// Registration of dev.wclayer.internal.Natives and its methods; no logic.
#include <atomic>
#include <chrono>
#include <memory>

#include "base/page_buffer.h"
#include "io/file.h"
#include "jni/boundary.h"
#include "jni/memory.h"
#include "jni/records.h"
#include "vmcompute/backends.h"
#include "wclayer/driver.h"

namespace wclayer::jni {
namespace {

constexpr const char* kNatives = "dev/wclayer/internal/Natives";
constexpr std::chrono::milliseconds kWaitSlice{100};

// Every object behind a handle, counted: tests compare with the count at the start.
std::atomic<std::int64_t> live_handles{0};

// A handle is the address of a Box; Java's NativeHandle keeps it valid while a call uses it.
template <class T>
struct Box {
  std::unique_ptr<T> object;
};

template <class T>
jlong ToHandle(std::unique_ptr<T> object) {
  auto* box = new Box<T>{std::move(object)};
  live_handles.fetch_add(1, std::memory_order_relaxed);
  return reinterpret_cast<jlong>(box);
}

template <class T>
T& Of(jlong handle) {
  return *reinterpret_cast<Box<T>*>(handle)->object;
}

template <class T>
void JNICALL Free(JNIEnv* env, jclass, jlong handle) {
  VoidBoundary(env, [&]() -> Status {
    delete reinterpret_cast<Box<T>*>(handle);
    live_handles.fetch_sub(1, std::memory_order_relaxed);
    return {};
  });
}

struct File {
  io::UniqueFd fd;
  PageBuffer slab;

  // Larger once a piece has filled it: what is touched for the first time costs a small layer more
  // than all else that is done in memory.
  void Widen(std::size_t filled) {
    constexpr std::size_t kFirst = 64u << 10;
    constexpr std::size_t kLargest = 1u << 20;
    if (filled == slab.size()) slab = PageBuffer(slab.empty() ? kFirst : kLargest);
  }
};

// ---- The driver
// ------------------------------------------------------------------------------------

jlong JNICALL Open(JNIEnv* env, jclass, jstring home, jint flavour, jint backend,
                   jobjectArray options) {
  return Boundary<jlong>(env, [&]() -> Expected<jlong> {
    DriverOptions driver_options;
    WCLAYER_ASSIGN(driver_options.home, TextOf(env, home));
    driver_options.flavour = flavour == 0 ? Flavour::kDiff : Flavour::kFilter;
    const jsize count = options == nullptr ? 0 : env->GetArrayLength(options);
    for (jsize i = 0; i + 1 < count; i += 2) {
      auto* key = static_cast<jstring>(env->GetObjectArrayElement(options, i));
      auto* value = static_cast<jstring>(env->GetObjectArrayElement(options, i + 1));
      WCLAYER_ASSIGN(const std::string key_text, TextOf(env, key));
      WCLAYER_ASSIGN(const std::string value_text, TextOf(env, value));
      WCLAYER_TRY(SetOption(driver_options, key_text, value_text));
      env->DeleteLocalRef(key);
      env->DeleteLocalRef(value);
    }
    WCLAYER_ASSIGN(const vmcompute::Chosen chosen,
                   vmcompute::Choose(static_cast<vmcompute::Backend>(backend), driver_options.api));
    WCLAYER_ASSIGN(auto driver, Driver::Open(chosen, std::move(driver_options)));
    return ToHandle(std::move(driver));
  });
}

jstring JNICALL Name(JNIEnv* env, jclass, jlong driver) {
  return Boundary<jstring>(
      env, [&]() -> Expected<jstring> { return JavaText(env, Of<Driver>(driver).String()); });
}

jboolean JNICALL Exists(JNIEnv* env, jclass, jlong driver, jstring id) {
  return Boundary<jboolean>(env, [&]() -> Expected<jboolean> {
    WCLAYER_ASSIGN(const std::string text, TextOf(env, id));
    return static_cast<jboolean>(Of<Driver>(driver).Exists(text) ? JNI_TRUE : JNI_FALSE);
  });
}

void JNICALL Create(JNIEnv* env, jclass, jlong driver, jstring id, jstring parent,
                    jboolean writable, jlong size) {
  VoidBoundary(env, [&]() -> Status {
    WCLAYER_ASSIGN(const std::string id_text, TextOf(env, id));
    WCLAYER_ASSIGN(const std::string parent_text, TextOf(env, parent));
    if (size < 0) return Error(Errc::kInvalidArgument, "the size is negative");
    auto& target = Of<Driver>(driver);
    return writable == JNI_TRUE
               ? target.CreateReadWrite(id_text, parent_text, static_cast<std::uint64_t>(size))
               : target.Create(id_text, parent_text, static_cast<std::uint64_t>(size));
  });
}

jstring JNICALL Get(JNIEnv* env, jclass, jlong driver, jstring id, jboolean detached) {
  return Boundary<jstring>(env, [&]() -> Expected<jstring> {
    WCLAYER_ASSIGN(const std::string text, TextOf(env, id));
    WCLAYER_ASSIGN(const std::string path, Of<Driver>(driver).Get(text, detached == JNI_TRUE));
    return JavaText(env, path);
  });
}

void JNICALL Put(JNIEnv* env, jclass, jlong driver, jstring id) {
  VoidBoundary(env, [&]() -> Status {
    WCLAYER_ASSIGN(const std::string text, TextOf(env, id));
    return Of<Driver>(driver).Put(text);
  });
}

void JNICALL Remove(JNIEnv* env, jclass, jlong driver, jstring id, jboolean force) {
  VoidBoundary(env, [&]() -> Status {
    WCLAYER_ASSIGN(const std::string text, TextOf(env, id));
    return Of<Driver>(driver).Remove(text, force == JNI_TRUE);
  });
}

jlong JNICALL DiffSize(JNIEnv* env, jclass, jlong driver, jstring id, jstring parent) {
  return Boundary<jlong>(env, [&]() -> Expected<jlong> {
    WCLAYER_ASSIGN(const std::string id_text, TextOf(env, id));
    WCLAYER_ASSIGN(const auto parent_text, TextOrNull(env, parent));
    WCLAYER_ASSIGN(const std::int64_t size, Of<Driver>(driver).DiffSize(id_text, parent_text));
    return static_cast<jlong>(size);
  });
}

jstring JNICALL DiffPath(JNIEnv* env, jclass, jlong driver, jstring id) {
  return Boundary<jstring>(env, [&]() -> Expected<jstring> {
    WCLAYER_ASSIGN(const std::string text, TextOf(env, id));
    WCLAYER_ASSIGN(const std::string path, Of<Driver>(driver).DiffPath(text));
    return JavaText(env, path);
  });
}

void JNICALL ReleaseDiffPath(JNIEnv* env, jclass, jlong driver, jstring path) {
  VoidBoundary(env, [&]() -> Status {
    WCLAYER_ASSIGN(const std::string text, TextOf(env, path));
    return Of<Driver>(driver).ReleaseDiffPath(text);
  });
}

void JNICALL DiffPathTo(JNIEnv* env, jclass, jlong driver, jstring id, jstring folder) {
  VoidBoundary(env, [&]() -> Status {
    WCLAYER_ASSIGN(const std::string id_text, TextOf(env, id));
    WCLAYER_ASSIGN(const std::string folder_text, TextOf(env, folder));
    return Of<Driver>(driver).DiffPathTo(id_text, folder_text);
  });
}

void JNICALL AddBaseImage(JNIEnv* env, jclass, jlong driver, jstring folder) {
  VoidBoundary(env, [&]() -> Status {
    WCLAYER_ASSIGN(const std::string text, TextOf(env, folder));
    return Of<Driver>(driver).AddBaseImage(text);
  });
}

// ---- Structured results
// ----------------------------------------------------------------------------

jlong JNICALL StartQuery(JNIEnv* env, jclass, jlong driver, jint kind, jstring a, jstring b) {
  return Boundary<jlong>(env, [&]() -> Expected<jlong> {
    WCLAYER_ASSIGN(const auto first, TextOrNull(env, a));
    WCLAYER_ASSIGN(const auto second, TextOrNull(env, b));
    WCLAYER_ASSIGN(auto cursor, Ask(Of<Driver>(driver), kind, first.value_or(""), second));
    return ToHandle(std::move(cursor));
  });
}

jint JNICALL ReadRecords(JNIEnv* env, jclass, jlong cursor, jobject buffer, jint from,
                         jint length) {
  return Boundary<jint>(env, [&]() -> Expected<jint> {
    WCLAYER_ASSIGN(const MutableBytes range, DirectRange(env, buffer, from, length));
    WCLAYER_ASSIGN(const std::size_t count, Of<RecordCursor>(cursor).Read(range));
    return static_cast<jint>(count);
  });
}

// ---- Reading: a Diff, or one stream of a file
// -------------------------------------------------------

jlong JNICALL OpenDiff(JNIEnv* env, jclass, jlong driver, jstring id, jstring parent, jint format,
                       jint compression, jint level, jint threads, jboolean rebuild,
                       jboolean digests) {
  return Boundary<jlong>(env, [&]() -> Expected<jlong> {
    WCLAYER_ASSIGN(const std::string text, TextOf(env, id));
    DiffOptions options;
    WCLAYER_ASSIGN(options.parent, TextOrNull(env, parent));
    options.format = format == 1 ? ArchiveFormat::kTransport : ArchiveFormat::kOci;
    options.compression = static_cast<CompressionKind>(compression);
    options.level = level;
    options.threads = threads;
    options.rebuild = rebuild == JNI_TRUE;
    options.digests = digests == JNI_TRUE;
    WCLAYER_ASSIGN(auto source, Of<Driver>(driver).Diff(text, options));
    return ToHandle(std::move(source));
  });
}

jlong JNICALL OpenFile(JNIEnv* env, jclass, jlong driver, jstring id, jstring path,
                       jstring stream) {
  return Boundary<jlong>(env, [&]() -> Expected<jlong> {
    WCLAYER_ASSIGN(const std::string id_text, TextOf(env, id));
    WCLAYER_ASSIGN(const std::string path_text, TextOf(env, path));
    WCLAYER_ASSIGN(const std::string stream_text, TextOf(env, stream));
    WCLAYER_ASSIGN(auto source, Of<Driver>(driver).OpenFile(id_text, path_text, stream_text));
    return ToHandle(std::move(source));
  });
}

jint JNICALL ReadSource(JNIEnv* env, jclass, jlong source, jobject buffer, jint from, jint length) {
  return Boundary<jint>(env, [&]() -> Expected<jint> {
    WCLAYER_ASSIGN(const MutableBytes range, DirectRange(env, buffer, from, length));
    if (range.empty()) return jint{0};
    WCLAYER_ASSIGN(const std::size_t count, Of<ByteSource>(source).Read(range));
    return count == 0 ? jint{-1} : static_cast<jint>(count);
  });
}

jlong JNICALL PumpSource(JNIEnv* env, jclass, jlong source, jlong file, jlong most) {
  return Boundary<jlong>(env, [&]() -> Expected<jlong> {
    auto& sink = Of<File>(file);
    io::FileSink out(sink.fd.get());
    std::size_t count = 0;
    jlong moved = 0;
    while (moved < most) {
      sink.Widen(count);
      WCLAYER_ASSIGN(count, Of<ByteSource>(source).Read(sink.slab));
      if (count == 0) break;
      WCLAYER_TRY(out.Write(Bytes(sink.slab).first(count)));
      moved += static_cast<jlong>(count);
    }
    return moved;
  });
}

void JNICALL SourceResult(JNIEnv* env, jclass, jlong source, jlongArray numbers,
                          jobjectArray texts) {
  VoidBoundary(env, [&]() -> Status {
    const StreamResult result = Of<ByteSource>(source).Result();
    WCLAYER_TRY(SetLongs(env, numbers,
                         {static_cast<std::int64_t>(result.tar_bytes),
                          static_cast<std::int64_t>(result.blob_bytes)}));
    return SetTexts(env, texts, {result.diff_id, result.blob_digest});
  });
}

void JNICALL SourceProgress(JNIEnv* env, jclass, jlong source, jlongArray out) {
  VoidBoundary(env, [&]() -> Status {
    const Progress progress = Of<ByteSource>(source).progress();
    return SetLongs(
        env, out,
        {static_cast<std::int64_t>(progress.bytes), static_cast<std::int64_t>(progress.entries)});
  });
}

void JNICALL CancelSource(JNIEnv*, jclass, jlong source) {
  Of<ByteSource>(source).Cancel();
}

// ---- Writing: ApplyDiff
// ----------------------------------------------------------------------------

jlong JNICALL OpenApply(JNIEnv* env, jclass, jlong driver, jstring id, jstring parent,
                        jstring diff_id, jstring blob_digest, jstring os_version) {
  return Boundary<jlong>(env, [&]() -> Expected<jlong> {
    WCLAYER_ASSIGN(const std::string text, TextOf(env, id));
    ApplyOptions options;
    WCLAYER_ASSIGN(options.parent, TextOrNull(env, parent));
    WCLAYER_ASSIGN(options.expected_diff_id, TextOf(env, diff_id));
    WCLAYER_ASSIGN(options.expected_blob_digest, TextOf(env, blob_digest));
    WCLAYER_ASSIGN(options.os_version, TextOf(env, os_version));
    // In slices, so that Java can look between two of them whether the call is still wanted.
    const auto slice = std::chrono::steady_clock::now() + kWaitSlice;
    if (!options.expected_diff_id.empty() || !options.expected_blob_digest.empty())
      options.keep_waiting = [slice] { return std::chrono::steady_clock::now() < slice; };
    auto apply = Of<Driver>(driver).ApplyDiff(text, options);
    if (!apply && apply.error().code == Errc::kCancelled) return jlong{0};
    if (!apply) return std::move(apply).error();
    return ToHandle(*std::move(apply));
  });
}

jlong JNICALL OpenRepair(JNIEnv* env, jclass, jlong driver, jstring id, jstring diff_id,
                         jstring blob_digest) {
  return Boundary<jlong>(env, [&]() -> Expected<jlong> {
    WCLAYER_ASSIGN(const std::string text, TextOf(env, id));
    ApplyOptions options;
    WCLAYER_ASSIGN(options.expected_diff_id, TextOf(env, diff_id));
    WCLAYER_ASSIGN(options.expected_blob_digest, TextOf(env, blob_digest));
    WCLAYER_ASSIGN(auto apply, Of<Driver>(driver).Repair(text, options));
    return ToHandle(std::move(apply));
  });
}

jboolean JNICALL ApplyAlreadyThere(JNIEnv*, jclass, jlong apply) {
  return Of<ApplyStream>(apply).already_there() ? JNI_TRUE : JNI_FALSE;
}

void JNICALL WriteApply(JNIEnv* env, jclass, jlong apply, jobject buffer, jint from, jint length) {
  VoidBoundary(env, [&]() -> Status {
    WCLAYER_ASSIGN(const MutableBytes range, DirectRange(env, buffer, from, length));
    return Of<ApplyStream>(apply).Write(range);
  });
}

jlong JNICALL PumpApply(JNIEnv* env, jclass, jlong apply, jlong file, jlong most) {
  return Boundary<jlong>(env, [&]() -> Expected<jlong> {
    auto& source = Of<File>(file);
    auto& stream = Of<ApplyStream>(apply);
    std::size_t count = 0;
    jlong moved = 0;
    while (moved < most) {
      WCLAYER_ASSIGN(const MutableBytes room, stream.Room());
      if (room.empty()) source.Widen(count);
      const MutableBytes into = room.empty() ? MutableBytes(source.slab) : room;
      WCLAYER_ASSIGN(count, io::ReadSome(source.fd.get(), into));
      if (count == 0) break;
      WCLAYER_TRY(room.empty() ? stream.Write(into.first(count)) : stream.Filled(count));
      moved += static_cast<jlong>(count);
    }
    return moved;
  });
}

jobjectArray JNICALL FinishApply(JNIEnv* env, jclass, jlong apply, jlongArray numbers,
                                 jobjectArray texts) {
  return Boundary<jobjectArray>(env, [&]() -> Expected<jobjectArray> {
    WCLAYER_ASSIGN(const ApplyResult result, Of<ApplyStream>(apply).Finish());
    WCLAYER_TRY(
        SetLongs(env, numbers,
                 {result.size_bytes, static_cast<std::int64_t>(result.blob_bytes),
                  static_cast<std::int64_t>(result.tar_bytes), result.already_there ? 1 : 0}));
    WCLAYER_TRY(SetTexts(env, texts, {result.diff_id, result.blob_digest}));
    jobjectArray warnings =
        env->NewObjectArray(static_cast<jsize>(result.warnings.size()), classes.string, nullptr);
    if (warnings == nullptr) return Error(Errc::kInternal, "no memory for the warnings");
    for (std::size_t i = 0; i < result.warnings.size(); ++i) {
      jstring text = JavaText(env, result.warnings[i]);
      if (text == nullptr) return Error(Errc::kInternal, "no memory for a warning");
      env->SetObjectArrayElement(warnings, static_cast<jsize>(i), text);
      env->DeleteLocalRef(text);
    }
    return warnings;
  });
}

void JNICALL ApplyProgress(JNIEnv* env, jclass, jlong apply, jlongArray out) {
  VoidBoundary(env, [&]() -> Status {
    const Progress progress = Of<ApplyStream>(apply).progress();
    return SetLongs(
        env, out,
        {static_cast<std::int64_t>(progress.bytes), static_cast<std::int64_t>(progress.entries)});
  });
}

void JNICALL CancelApply(JNIEnv*, jclass, jlong apply) {
  Of<ApplyStream>(apply).Cancel();
}

// ---- Files that the caller names by path
// ------------------------------------------------------------

jlong JNICALL OpenInput(JNIEnv* env, jclass, jstring path) {
  return Boundary<jlong>(env, [&]() -> Expected<jlong> {
    WCLAYER_ASSIGN(const std::string text, TextOf(env, path));
    auto file = std::make_unique<File>();
    WCLAYER_ASSIGN(file->fd, io::OpenForReading(text));
    return ToHandle(std::move(file));
  });
}

jlong JNICALL CreateOutput(JNIEnv* env, jclass, jstring path) {
  return Boundary<jlong>(env, [&]() -> Expected<jlong> {
    WCLAYER_ASSIGN(const std::string text, TextOf(env, path));
    auto file = std::make_unique<File>();
    WCLAYER_ASSIGN(file->fd, io::CreateForWriting(text));
    return ToHandle(std::move(file));
  });
}

jlong JNICALL LiveHandles(JNIEnv*, jclass) {
  return live_handles.load(std::memory_order_relaxed);
}

jlong JNICALL Calls(JNIEnv*, jclass) {
  return boundary_calls.load(std::memory_order_relaxed);
}

jlongArray JNICALL Memory(JNIEnv* env, jclass) {
  jlongArray numbers = env->NewLongArray(2);
  if (numbers == nullptr) return nullptr;  // OutOfMemoryError is pending
  const jlong values[2] = {CurrentBytes(), HighWaterBytes()};
  env->SetLongArrayRegion(numbers, 0, 2, values);
  return numbers;
}

// ---- Registration
// ----------------------------------------------------------------------------------

template <class F>
JNINativeMethod Method(const char* name, const char* signature, F* function) {
  return {const_cast<char*>(name), const_cast<char*>(signature), reinterpret_cast<void*>(function)};
}

#define STRING "Ljava/lang/String;"
#define BUFFER "Ljava/nio/ByteBuffer;"
const JNINativeMethod kMethods[] = {
    Method("open", "(" STRING "II[" STRING ")J", Open),
    Method("freeDriver", "(J)V", Free<Driver>),
    Method("name", "(J)" STRING, Name),
    Method("exists", "(J" STRING ")Z", Exists),
    Method("create", "(J" STRING STRING "ZJ)V", Create),
    Method("get", "(J" STRING "Z)" STRING, Get),
    Method("put", "(J" STRING ")V", Put),
    Method("remove", "(J" STRING "Z)V", Remove),
    Method("diffSize", "(J" STRING STRING ")J", DiffSize),
    Method("diffPath", "(J" STRING ")" STRING, DiffPath),
    Method("releaseDiffPath", "(J" STRING ")V", ReleaseDiffPath),
    Method("diffPathTo", "(J" STRING STRING ")V", DiffPathTo),
    Method("addBaseImage", "(J" STRING ")V", AddBaseImage),
    Method("query", "(JI" STRING STRING ")J", StartQuery),
    Method("readRecords", "(J" BUFFER "II)I", ReadRecords),
    Method("freeCursor", "(J)V", Free<RecordCursor>),
    Method("openDiff", "(J" STRING STRING "IIIIZZ)J", OpenDiff),
    Method("openFile", "(J" STRING STRING STRING ")J", OpenFile),
    Method("readSource", "(J" BUFFER "II)I", ReadSource),
    Method("pumpSource", "(JJJ)J", PumpSource),
    Method("sourceResult", "(J[J[" STRING ")V", SourceResult),
    Method("sourceProgress", "(J[J)V", SourceProgress),
    Method("cancelSource", "(J)V", CancelSource),
    Method("freeSource", "(J)V", Free<ByteSource>),
    Method("openApply", "(J" STRING STRING STRING STRING STRING ")J", OpenApply),
    Method("openRepair", "(J" STRING STRING STRING ")J", OpenRepair),
    Method("applyAlreadyThere", "(J)Z", ApplyAlreadyThere),
    Method("writeApply", "(J" BUFFER "II)V", WriteApply),
    Method("pumpApply", "(JJJ)J", PumpApply),
    Method("finishApply", "(J[J[" STRING ")[" STRING, FinishApply),
    Method("applyProgress", "(J[J)V", ApplyProgress),
    Method("cancelApply", "(J)V", CancelApply),
    Method("freeApply", "(J)V", Free<ApplyStream>),
    Method("openInput", "(" STRING ")J", OpenInput),
    Method("createOutput", "(" STRING ")J", CreateOutput),
    Method("freeFile", "(J)V", Free<File>),
    Method("liveHandles", "()J", LiveHandles),
    Method("calls", "()J", Calls),
    Method("memory", "()[J", Memory),
};
#undef STRING
#undef BUFFER

// Exception class of each Errc, in the order of their numbers (base/error.h).
constexpr const char* kExceptions[Classes::kErrors] = {
    nullptr,
    "InvalidLayerArgumentException",
    "LayerNotFoundException",
    "LayerExistsException",
    "ParentNotFoundException",
    "LayerBusyException",
    "LayerDamagedException",
    "BadArchiveException",
    "UnsafePathException",
    "LimitExceededException",
    "DigestMismatchException",
    "UnsupportedLayerOperationException",
    "HivesNotMergeableException",
    "LayerIoException",
    "NoSpaceException",
    "AccessDeniedLayerException",
    "PlatformException",
    "OperationCancelledException",
    "BackendUnavailableException",
    "MountMismatchException",
    nullptr,  // kInternal: java.lang.InternalError
    "CallTimeoutException",
    "OsVersionMismatchException",
};

jclass GlobalClass(JNIEnv* env, const char* name) {
  jclass local = env->FindClass(name);
  if (local == nullptr) return nullptr;
  auto* global = static_cast<jclass>(env->NewGlobalRef(local));
  env->DeleteLocalRef(local);
  return global;
}

void DropClasses(JNIEnv* env) {
  for (jclass& each : classes.exceptions) {
    if (each != nullptr) env->DeleteGlobalRef(each);
    each = nullptr;
  }
  if (classes.string != nullptr) env->DeleteGlobalRef(classes.string);
  classes.string = nullptr;
}

bool LoadClasses(JNIEnv* env) {
  classes.string = GlobalClass(env, "java/lang/String");
  if (classes.string == nullptr) return false;
  for (int i = 0; i < Classes::kErrors; ++i) {
    if (kExceptions[i] == nullptr) continue;
    classes.exceptions[i] =
        GlobalClass(env, (std::string("dev/wclayer/") + kExceptions[i]).c_str());
    if (classes.exceptions[i] == nullptr) return false;
    classes.constructors[i] = env->GetMethodID(
        classes.exceptions[i], "<init>",
        "(IILjava/lang/String;Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;)V");
    if (classes.constructors[i] == nullptr) return false;
  }
  return true;
}

}  // namespace
}  // namespace wclayer::jni

extern "C" JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM* vm, void*) {
  JNIEnv* env = nullptr;
  if (vm->GetEnv(reinterpret_cast<void**>(&env), JNI_VERSION_10) != JNI_OK) return JNI_ERR;
  jclass natives = env->FindClass(wclayer::jni::kNatives);
  if (natives == nullptr) return JNI_ERR;
  if (!wclayer::jni::LoadClasses(env) ||
      env->RegisterNatives(natives, wclayer::jni::kMethods, std::size(wclayer::jni::kMethods)) !=
          JNI_OK) {
    wclayer::jni::DropClasses(env);
    return JNI_ERR;  // the pending exception names what is missing
  }
  return JNI_VERSION_10;
}

extern "C" JNIEXPORT void JNICALL JNI_OnUnload(JavaVM* vm, void*) {
  JNIEnv* env = nullptr;
  if (vm->GetEnv(reinterpret_cast<void**>(&env), JNI_VERSION_10) == JNI_OK)
    wclayer::jni::DropClasses(env);
}
