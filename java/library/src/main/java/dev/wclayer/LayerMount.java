package dev.wclayer;

import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;

/** One use of a layer by Get; closing is its Put. May be closed by any thread, and more than once. */
public final class LayerMount implements AutoCloseable {
    private final WindowsDriver driver;
    private final String id;
    private final String path;
    private final AtomicBoolean open = new AtomicBoolean(true);

    LayerMount(WindowsDriver driver, String id, String path) {
        this.driver = driver;
        this.id = id;
        this.path = path;
    }

    /**
     * The layer.
     *
     * @return its id
     */
    public String id() {
        return id;
    }

    /**
     * Where the files are: for a writable layer the merged root, {@code C:\} as a container sees it; for a read-only one
     * its folder.
     *
     * @return the folder, absolute; what is below may be used until this is closed
     */
    public Path path() {
        return Path.of(path);
    }

    /**
     * Gives the use back; the last one unmounts. Does nothing if the driver is closed already, which has done it then.
     *
     * @throws LayerBusyException if something still uses the mount; it stays, and another close tries again
     * @throws LayerException if the unmount failed otherwise
     */
    @Override
    public void close() throws LayerException {
        if (!open.compareAndSet(true, false)) {
            return;
        }
        try {
            driver.putIfOpen(id);
        } catch (LayerException failed) {
            open.set(true);
            throw failed;
        }
    }
}
