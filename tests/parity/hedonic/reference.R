# Hedonic indexes of the sales of export.py, by lm alone.
# Rscript reference.R FOLDER_OF_INPUTS FOLDER_OF_OUTPUTS

folders <- commandArgs(trailingOnly = TRUE)
sales <- read.csv(file.path(folders[1], "sales.csv"), colClasses = c(sold = "character"))
sales$month <- substr(sales$sold, 1, 7)
enough <- sort(names(which(table(sales$month) >= 5)))
sales <- sales[sales$month %in% enough, ]

# Grades as places in the lists of the trade, worst first.
place <- function(grade, order) match(grade, order)
sales$cut_place <- place(
  sales$cut, c("Poor", "Fair", "Good", "Very Good", "Premium", "Excellent", "Ideal")
)
sales$color_place <- place(sales$color, c("J", "I", "H", "G", "F", "E", "D"))
sales$clarity_place <- place(
  sales$clarity, c("I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF")
)

time_dummy <- function(data) {
  data$month <- factor(data$month)
  fit <- lm(log(price) ~ log(carat) + I(log(carat)^2) + I(log(carat)^3) +
              factor(cut) + factor(color) + factor(clarity) + month, data)
  effects <- coef(fit)[paste0("month", levels(data$month)[-1])]
  list(log = c(0, unname(effects)), fit = fit)
}

found <- NULL
add <- function(method, periods, index, low = NA, high = NA) {
  found <<- rbind(found, data.frame(method, period = periods, index, low, high))
}

# Standard errors clustered by stone: sandwich by hand, with the usual correction for the
# number of clusters and of coefficients.
whole <- time_dummy(sales)
X <- model.matrix(whole$fit)
stone <- paste(sales$carat, sales$cut, sales$color, sales$clarity)
scores <- rowsum(X * residuals(whole$fit), stone)
bread <- solve(crossprod(X))
n <- nrow(X); k <- ncol(X); g <- nrow(scores)
V <- g / (g - 1) * (n - 1) / (n - k) * bread %*% crossprod(scores) %*% bread
se <- c(0, sqrt(diag(V))[paste0("month", enough[-1])])
z <- qnorm(0.95)
add("time dummy", enough, 100 * exp(whole$log), 100 * exp(whole$log - z * se),
    100 * exp(whole$log + z * se))

# Double imputation.
fits <- lapply(enough, function(m) {
  lm(log(price) ~ log(carat) + I(log(carat)^2) + cut_place + color_place + clarity_place,
     sales[sales$month == m, ])
})
ratio <- function(stones, t) {
  sum(exp(predict(fits[[t]], stones))) / sum(exp(predict(fits[[1]], stones)))
}
periods <- seq_along(enough)
laspeyres <- sapply(periods, function(t) ratio(sales[sales$month == enough[1], ], t))
paasche <- sapply(periods, function(t) ratio(sales[sales$month == enough[t], ], t))
basket <- sapply(periods, function(t) ratio(sales[sales$carat > 1, ], t))
add("laspeyres", enough, 100 * laspeyres)
add("paasche", enough, 100 * paasche)
add("fisher", enough, 100 * sqrt(laspeyres * paasche))
add("basket", enough, 100 * basket)

# Rolling windows, linked period by period in levels.
for (w in c(2, 5, 6)) {
  windows <- lapply(seq_len(length(enough) - w + 1), function(i) {
    exp(time_dummy(sales[sales$month %in% enough[i:(i + w - 1)], ])$log)
  })
  for (splice in c("movement", "window", "half", "mean")) {
    index <- windows[[1]]
    for (i in seq_along(windows)[-1]) {
      old <- windows[[i - 1]]
      new <- windows[[i]]
      link <- function(at) (new[w] / new[at]) / (old[w] / old[at + 1])
      at <- switch(splice, movement = w - 1, window = 1, half = floor((w + 1) / 2),
                   mean = seq_len(w - 1))
      index <- c(index, index[length(index)] * prod(link(at))^(1 / length(at)))
    }
    add(paste(splice, w), enough, 100 * index)
  }
}
write.csv(found, file.path(folders[2], "index.csv"), row.names = FALSE, quote = FALSE)
