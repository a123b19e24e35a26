package dev.wclayer;

import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;

/** A layer as a folder in transport format; closing removes the folder. May be closed by any thread, and more than once. */
public final class DiffPath implements AutoCloseable {
    private final WindowsDriver driver;
    private final String path;
    private final AtomicBoolean open = new AtomicBoolean(true);

    DiffPath(WindowsDriver driver, String path) {
        this.driver = driver;
        this.path = path;
    }

    /**
     * The folder.
     *
     * @return its path, absolute; it is the caller's to read until this is closed
     */
    public Path path() {
        return Path.of(path);
    }

    /**
     * Removes the folder. If the driver is closed already, its next Cleanup does that.
     *
     * @throws LayerException if it could not be removed; the driver's Cleanup tries again
     */
    @Override
    public void close() throws LayerException {
        if (open.compareAndSet(true, false)) {
            driver.releaseDiffPath(path);
        }
    }
}
