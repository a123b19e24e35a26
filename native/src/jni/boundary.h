// The border between Java and the core: no C++ exception crosses it, every failure becomes a Java
// one.
#pragma once

#include <jni.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/expected.h"

namespace wclayer::jni {

// What JNI_OnLoad looked up: read-only afterwards, and all that is process-wide here. Two class
// loaders load two copies of the library and never meet.
struct Classes {
  static constexpr int kErrors = 23;  // Errc numbers run from 1
  jclass exceptions[kErrors] = {};    // LayerException's subclasses, by Errc
  jmethodID constructors[kErrors] = {};
  jclass string = nullptr;
};
extern Classes classes;

void Throw(JNIEnv* env, const Error& error);
void ThrowNew(JNIEnv* env, const char* class_name, const char* message);

// Calls from Java that came here; none of them is for a file of a layer, which tests count.
inline std::atomic<std::int64_t> boundary_calls{0};

// Runs `body` (returning Expected<R>); a failure or an escaped exception is thrown in Java.
template <class R, class F>
R Boundary(JNIEnv* env, F&& body) noexcept {
  boundary_calls.fetch_add(1, std::memory_order_relaxed);
  try {
    Expected<R> result = body();
    if (result) return *std::move(result);
    Throw(env, result.error());
  } catch (const std::bad_alloc&) {
    ThrowNew(env, "java/lang/OutOfMemoryError", "wclayer: native allocation failed");
  } catch (const std::exception& failure) {
    ThrowNew(env, "java/lang/InternalError", failure.what());
  } catch (...) {
    ThrowNew(env, "java/lang/InternalError", "wclayer: unknown C++ exception");
  }
  return R{};
}

template <class F>
void VoidBoundary(JNIEnv* env, F&& body) noexcept {
  Boundary<jboolean>(env, [&]() -> Expected<jboolean> {
    WCLAYER_TRY(body());
    return JNI_TRUE;
  });
}

// Strings cross as UTF-16; modified UTF-8 never appears. Null is an error unless the name says
// otherwise.
Expected<std::string> TextOf(JNIEnv* env, jstring text);
Expected<std::optional<std::string>> TextOrNull(JNIEnv* env, jstring text);
jstring JavaText(JNIEnv* env,
                 std::string_view text);  // null with a pending exception when memory is short

// The bytes [from, from + length) of a direct buffer; null, negative and too long are errors.
Expected<MutableBytes> DirectRange(JNIEnv* env, jobject buffer, jint from, jint length);

Status SetLongs(JNIEnv* env, jlongArray array, std::initializer_list<std::int64_t> values);
Status SetTexts(JNIEnv* env, jobjectArray array, std::initializer_list<std::string_view> values);

}  // namespace wclayer::jni
