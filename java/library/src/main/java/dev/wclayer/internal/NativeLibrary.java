package dev.wclayer.internal;

import java.io.InputStream;
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
            new NativeLoader(Platform.current(), new ThisJvm()).load();
            loaded = true;
        } catch (UnsatisfiedLinkError cause) {
            failure = cause.getMessage();
            throw cause;
        }
    }

    /** A class instead of lambdas, whose first ones cost a program's first call tens of milliseconds. */
    private static final class ThisJvm implements NativeLoader.Surroundings {
        @Override
        public @Nullable String property(String name) {
            return System.getProperty(name);
        }

        @Override
        public @Nullable InputStream resource(String name) {
            return NativeLibrary.class.getClassLoader().getResourceAsStream(name);
        }

        @Override
        public void load(String file) {
            System.load(file); // the library belongs to this class's loader
        }
    }
}
