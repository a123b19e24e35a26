#include "jni/boundary.h"

#include "base/utf16.h"

namespace wclayer::jni {

Classes classes;

void ThrowNew(JNIEnv* env, const char* class_name, const char* message) {
  if (env->ExceptionCheck()) return;
  jclass found = env->FindClass(class_name);
  if (found != nullptr) env->ThrowNew(found, message);  // else FindClass threw
}

void Throw(JNIEnv* env, const Error& error) {
  if (env->ExceptionCheck()) return;  // a Java failure on the way here says more
  const auto index = static_cast<std::size_t>(error.code);
  if (error.code == Errc::kInternal || index >= Classes::kErrors ||
      classes.exceptions[index] == nullptr) {
    ThrowNew(env, "java/lang/InternalError", error.ToString().c_str());
    return;
  }
  jstring operation = JavaText(env, error.operation);
  jstring layer = operation == nullptr ? nullptr : JavaText(env, error.layer);
  jstring path = layer == nullptr ? nullptr : JavaText(env, error.path);
  jstring message = path == nullptr ? nullptr : JavaText(env, error.message);
  if (message == nullptr) return;  // OutOfMemoryError is pending
  jobject failure =
      env->NewObject(classes.exceptions[index], classes.constructors[index], jint{error.hresult},
                     jint{error.sys_errno}, operation, layer, path, message);
  if (failure != nullptr) env->Throw(static_cast<jthrowable>(failure));
}

Expected<std::string> TextOf(JNIEnv* env, jstring text) {
  if (text == nullptr) return Error(Errc::kInvalidArgument, "a text is null");
  const jsize length = env->GetStringLength(text);
  std::u16string units(static_cast<std::size_t>(length), u'\0');
  env->GetStringRegion(text, 0, length, reinterpret_cast<jchar*>(units.data()));
  return ToUtf8(units);
}

Expected<std::optional<std::string>> TextOrNull(JNIEnv* env, jstring text) {
  if (text == nullptr) return std::optional<std::string>();
  WCLAYER_ASSIGN(std::string value, TextOf(env, text));
  return std::optional<std::string>(std::move(value));
}

jstring JavaText(JNIEnv* env, std::string_view text) {
  std::u16string units;
  if (auto wide = ToUtf16(text)) {
    units = *std::move(wide);
  } else {
    // Texts of the operating system may be anything: each byte on its own, so that nothing is
    // hidden.
    for (const char c : text) units.push_back(static_cast<char16_t>(static_cast<unsigned char>(c)));
  }
  return env->NewString(reinterpret_cast<const jchar*>(units.data()),
                        static_cast<jsize>(units.size()));
}

Expected<MutableBytes> DirectRange(JNIEnv* env, jobject buffer, jint from, jint length) {
  if (buffer == nullptr) return Error(Errc::kInvalidArgument, "the buffer is null");
  void* address = env->GetDirectBufferAddress(buffer);
  const jlong capacity = env->GetDirectBufferCapacity(buffer);
  if (address == nullptr || capacity < 0)
    return Error(Errc::kInvalidArgument, "the buffer is not a direct buffer");
  if (from < 0 || length < 0 || jlong{from} + jlong{length} > capacity) {
    return Error(Errc::kInvalidArgument,
                 "the range " + std::to_string(from) + "+" + std::to_string(length) +
                     " is not within the buffer's " + std::to_string(capacity) + " bytes");
  }
  return MutableBytes(static_cast<std::byte*>(address) + from, static_cast<std::size_t>(length));
}

Status SetLongs(JNIEnv* env, jlongArray array, std::initializer_list<std::int64_t> values) {
  if (array == nullptr || env->GetArrayLength(array) < static_cast<jsize>(values.size())) {
    return Error(Errc::kInvalidArgument, "the array for numbers is null or too short");
  }
  jsize at = 0;
  for (const std::int64_t value : values) {
    const jlong number = value;
    env->SetLongArrayRegion(array, at++, 1, &number);
  }
  return {};
}

Status SetTexts(JNIEnv* env, jobjectArray array, std::initializer_list<std::string_view> values) {
  if (array == nullptr || env->GetArrayLength(array) < static_cast<jsize>(values.size())) {
    return Error(Errc::kInvalidArgument, "the array for texts is null or too short");
  }
  jsize at = 0;
  for (const std::string_view value : values) {
    jstring text = JavaText(env, value);
    if (text == nullptr) return Error(Errc::kInternal, "no memory for a Java text");
    env->SetObjectArrayElement(array, at++, text);
    env->DeleteLocalRef(text);
  }
  return {};
}

}  // namespace wclayer::jni
