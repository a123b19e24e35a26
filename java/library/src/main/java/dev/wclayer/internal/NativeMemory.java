package dev.wclayer.internal;

/** What the native core holds right now; tests compare it with what it held before. */
public final class NativeMemory {
    private NativeMemory() {}

    /** Objects behind handles. */
    public static long liveHandles() {
        NativeLibrary.ensureLoaded();
        return Natives.liveHandles();
    }

    /** Bytes allocated now. */
    public static long currentBytes() {
        NativeLibrary.ensureLoaded();
        return Natives.memory()[0];
    }

    /** The most bytes ever allocated at one time. */
    public static long highWaterBytes() {
        NativeLibrary.ensureLoaded();
        return Natives.memory()[1];
    }
}
