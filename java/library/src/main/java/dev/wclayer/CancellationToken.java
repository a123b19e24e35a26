package dev.wclayer;

import java.util.LinkedHashSet;
import java.util.Set;

/**
 * Lets any thread cancel long calls that were given this token. A cancelled call fails with
 * {@link OperationCancelledException} and leaves the layer as it was. All methods may be called from any thread.
 */
public final class CancellationToken {
    private final Set<Runnable> running = new LinkedHashSet<>();
    private boolean cancelled;

    /** Makes a token that is not cancelled. */
    public CancellationToken() {}

    /** Cancels the calls that have this token, now and later. Returns at once; the calls end at their next slab. */
    public void cancel() {
        Set<Runnable> stop;
        synchronized (this) {
            if (cancelled) {
                return;
            }
            cancelled = true;
            stop = new LinkedHashSet<>(running);
            running.clear();
        }
        stop.forEach(Runnable::run);
    }

    /**
     * Whether {@link #cancel()} was called.
     *
     * @return true from then on
     */
    public synchronized boolean isCancelled() {
        return cancelled;
    }

    /** Has {@code stop} run when this is cancelled, at once if it is already. */
    void register(Runnable stop) {
        synchronized (this) {
            if (!cancelled) {
                running.add(stop);
                return;
            }
        }
        stop.run();
    }

    synchronized void unregister(Runnable stop) {
        running.remove(stop);
    }
}
