package dev.wclayer.cli;

import dev.wclayer.ProgressListener;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/** A bar on stderr, if that is a terminal. */
final class Progress implements ProgressListener, AutoCloseable {
    /** Below this a bar would only flicker. */
    private static final long SHOWN_FROM_BYTES = 16L << 20;

    private final String what;
    private final boolean shown;
    private @Nullable ProgressBar bar;

    private Progress(String what, boolean shown) {
        this.what = what;
        this.shown = shown;
    }

    static Progress of(String what) {
        return new Progress(what, Terminal.is(Terminal.STDERR));
    }

    @Override
    public void progressed(long bytes, long entries) {
        if (!shown || bytes < SHOWN_FROM_BYTES) {
            return;
        }
        if (bar == null) {
            bar = new ProgressBarBuilder()
                    .setTaskName(what)
                    .setInitialMax(-1)
                    .setUnit(" MiB", 1 << 20)
                    .setStyle(ProgressBarStyle.ASCII)
                    .build();
        }
        bar.stepTo(bytes);
        bar.setExtraMessage(entries + " entries");
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
        }
    }
}
