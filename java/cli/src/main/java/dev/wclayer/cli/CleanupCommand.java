package dev.wclayer.cli;

import dev.wclayer.WindowsDriver;
import java.io.IOException;
import java.util.List;
import picocli.CommandLine.Command;

@Command(name = "cleanup", description = "Finish what was interrupted and drop what killed processes left.")
final class CleanupCommand extends LayerCommand {
    @Override
    int run(WindowsDriver driver, Output output) throws IOException {
        List<String> done = driver.cleanup();
        if (output.wantsJson()) {
            output.json(Json.texts(done));
        } else {
            for (String line : done) {
                output.line(line);
            }
        }
        return CommandLines.OK;
    }
}
