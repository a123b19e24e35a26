package dev.wclayer.internal;

import org.jspecify.annotations.Nullable;

/** Loads the native library once for this class loader. */
public final class NativeLibrary {
    private static boolean loaded;
    private static @Nullable String failure;

    private NativeLibrary() {}

    /**
     * Loads the library if that has not happened.
     *
     * @throws UnsatisfiedLinkError if it cannot be had; the message says what was tried and what would help
     */
    public static synchronized void ensureLoaded() {
        if (loaded) {
            return;
        }
        if (failure != null) {
            throw new UnsatisfiedLinkError(failure);
        }
        try {
            // The lambda is this class's: a library belongs to the class loader of whoever calls load.
            new NativeLoader(
                            Platform.current(),
                            System::getProperty,
                            name -> NativeLibrary.class.getClassLoader().getResourceAsStream(name),
                            path -> System.load(path))
                    .load();
            loaded = true;
        } catch (UnsatisfiedLinkError cause) {
            failure = cause.getMessage();
            throw cause;
        }
    }
}
