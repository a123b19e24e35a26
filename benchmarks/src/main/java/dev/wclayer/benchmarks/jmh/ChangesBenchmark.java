package dev.wclayer.benchmarks.jmh;

import dev.wclayer.benchmarks.compare.Workshop;
import dev.wclayer.benchmarks.task.ChangeTasks;
import dev.wclayer.benchmarks.task.Task;
import java.io.IOException;
import org.openjdk.jmh.annotations.Param;

/** How long does it take to say what a layer changed, one file of a hundred each being changed, new and gone? */
public class ChangesBenchmark extends TaskBenchmark {
    /** Who looks. */
    public enum Subject {
        /** Ours, a writable layer against its parent, tree against tree. */
        WCLAYER_TREES,
        /** Ours, a committed layer: from its metadata. */
        WCLAYER_LIST,
        /** rsync -an on the two trees. */
        RSYNC
    }

    /** Who. */
    @Param
    public Subject subject;

    /** Which layer was changed. */
    @Param("core/20")
    public String layer;

    @Override
    Task task(Workshop shop) throws IOException {
        return switch (subject) {
            case WCLAYER_TREES -> ChangeTasks.ofTwoTrees(shop.changes(layer));
            case WCLAYER_LIST -> ChangeTasks.ofOwnList(shop.changes(layer));
            case RSYNC -> ChangeTasks.byRsync(shop.changes(layer));
        };
    }

    @Override
    Task reference(Workshop shop) throws IOException {
        return ChangeTasks.byRsync(shop.changes(layer));
    }
}
