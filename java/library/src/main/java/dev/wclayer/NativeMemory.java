package dev.wclayer;

import dev.wclayer.internal.NativeCounters;

/**
 * What the native core has allocated, in bytes, over all drivers of this process. It is not on Java's heap: no
 * {@code -Xmx} limits it. Whatever a layer's size, one Diff or ApplyDiff takes at most some 24 MiB, 64 MiB when it
 * compresses or the layer has a million entries.
 *
 * @param currentBytes allocated now; what is kept of each home in use is a few hundred KiB
 * @param highWaterBytes the most that was ever allocated at one time since the library was loaded
 */
public record NativeMemory(long currentBytes, long highWaterBytes) {
    /**
     * As it is now. From any thread; takes well under a microsecond.
     *
     * @return both figures, of the same moment
     * @throws UnsatisfiedLinkError if the native library cannot be loaded ({@link WindowsDriver#unavailable})
     */
    public static NativeMemory now() {
        long[] bytes = NativeCounters.memory();
        return new NativeMemory(bytes[0], bytes[1]);
    }
}
