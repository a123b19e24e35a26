package dev.wclayer.internal;

/** What the native core counts, over the whole process; tests compare it with what it was before. */
public final class NativeCounters {
    private NativeCounters() {}

    /** Objects behind handles. */
    public static long liveHandles() {
        NativeLibrary.ensureLoaded();
        return Natives.liveHandles();
    }

    /** Calls into the core that did something: neither a free nor one of these. */
    public static long calls() {
        NativeLibrary.ensureLoaded();
        return Natives.calls();
    }

    /** Bytes allocated now, and the most ever allocated at one time. */
    public static long[] memory() {
        NativeLibrary.ensureLoaded();
        return Natives.memory();
    }
}
